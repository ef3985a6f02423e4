"""Field numbers of the messages that kubectl and Helm post as protobuf: facts of the wire, not all of them.

Each field: ``number name type``. Types: ``string int bool bytes time raw`` (embedded JSON), ``quantity``,
``intorstring``, ``skip``, or another message; ``[]T`` repeats, ``{}T`` maps from string; ``*T`` is kept even
when zero (a pointer in Go), anything else is dropped when zero, as omitempty does.
A message that uses a field not listed here is refused with 415 rather than half understood.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    repeated: bool
    mapped: bool
    pointer: bool


Message = dict[int, Field]

_TEXT = """
ObjectMeta: 1 name string, 2 generateName string, 3 namespace string, 4 selfLink string, 5 uid string,
 6 resourceVersion string, 7 generation int, 8 creationTimestamp time, 9 deletionTimestamp time,
 10 deletionGracePeriodSeconds *int, 11 labels {}string, 12 annotations {}string,
 13 ownerReferences []OwnerReference, 14 finalizers []string, 17 managedFields []ManagedFieldsEntry
OwnerReference: 1 kind string, 3 name string, 4 uid string, 5 apiVersion string, 6 controller *bool,
 7 blockOwnerDeletion *bool
ManagedFieldsEntry: 1 manager string, 2 operation string, 3 apiVersion string, 4 time time,
 6 fieldsType string, 7 fieldsV1 raw, 8 subresource string
LabelSelector: 1 matchLabels {}string, 2 matchExpressions []LabelSelectorRequirement
LabelSelectorRequirement: 1 key string, 2 operator string, 3 values []string
LocalObjectReference: 1 name string
ObjectReference: 1 kind string, 2 namespace string, 3 name string, 4 uid string, 5 apiVersion string,
 6 resourceVersion string, 7 fieldPath string
Preconditions: 1 uid *string, 2 resourceVersion *string
DeleteOptions: 1 gracePeriodSeconds *int, 2 preconditions *Preconditions, 3 orphanDependents *bool,
 4 propagationPolicy *string, 5 dryRun []string
v1/Namespace: 1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status skip
NamespaceSpec: 1 finalizers []string
v1/Secret: 1 metadata ObjectMeta, 2 data {}bytes, 3 type string, 4 stringData {}string, 5 immutable *bool
v1/ConfigMap: 1 metadata ObjectMeta, 2 data {}string, 3 binaryData {}bytes, 4 immutable *bool
v1/ServiceAccount: 1 metadata ObjectMeta, 2 secrets []ObjectReference,
 3 imagePullSecrets []LocalObjectReference, 4 automountServiceAccountToken *bool
v1/Binding: 1 metadata ObjectMeta, 2 target ObjectReference
v1/Pod: 1 metadata ObjectMeta, 2 spec PodSpec, 3 status skip
PodTemplateSpec: 1 metadata ObjectMeta, 2 spec PodSpec
PodSpec: 2 containers []Container, 3 restartPolicy string, 4 terminationGracePeriodSeconds *int,
 5 activeDeadlineSeconds *int, 6 dnsPolicy string, 7 nodeSelector {}string, 8 serviceAccountName string,
 9 serviceAccount string, 10 nodeName string, 11 hostNetwork bool, 12 hostPID bool, 13 hostIPC bool,
 14 securityContext *PodSecurityContext, 15 imagePullSecrets []LocalObjectReference, 16 hostname string,
 17 subdomain string, 19 schedulerName string, 20 initContainers []Container, 22 tolerations []Toleration,
 24 priorityClassName string, 25 priority *int, 30 enableServiceLinks *bool, 31 preemptionPolicy *string
PodSecurityContext: 2 runAsUser *int, 3 runAsNonRoot *bool, 5 fsGroup *int, 6 runAsGroup *int
Toleration: 1 key string, 2 operator string, 3 value string, 4 effect string, 5 tolerationSeconds *int
Container: 1 name string, 2 image string, 3 command []string, 4 args []string, 5 workingDir string,
 6 ports []ContainerPort, 7 env []EnvVar, 8 resources ResourceRequirements, 9 volumeMounts []VolumeMount,
 13 terminationMessagePath string, 14 imagePullPolicy string, 16 stdin bool, 17 stdinOnce bool, 18 tty bool,
 20 terminationMessagePolicy string
ContainerPort: 1 name string, 2 hostPort int, 3 containerPort int, 4 protocol string, 5 hostIP string
EnvVar: 1 name string, 2 value string
VolumeMount: 1 name string, 2 readOnly bool, 3 mountPath string, 4 subPath string
ResourceRequirements: 1 limits {}quantity, 2 requests {}quantity
v1/Service: 1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status skip
ServiceSpec: 1 ports []ServicePort, 2 selector {}string, 3 clusterIP string, 4 type string,
 5 externalIPs []string, 7 sessionAffinity string, 8 loadBalancerIP string,
 9 loadBalancerSourceRanges []string, 10 externalName string, 11 externalTrafficPolicy string,
 12 healthCheckNodePort int, 13 publishNotReadyAddresses bool, 17 ipFamilyPolicy *string,
 18 clusterIPs []string, 19 ipFamilies []string, 20 allocateLoadBalancerNodePorts *bool,
 21 loadBalancerClass *string, 22 internalTrafficPolicy *string, 23 trafficDistribution *string
ServicePort: 1 name string, 2 protocol string, 3 port int, 4 targetPort intorstring, 5 nodePort int,
 6 appProtocol *string
apps/v1/Deployment: 1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status skip
DeploymentSpec: 1 replicas *int, 2 selector *LabelSelector, 3 template PodTemplateSpec,
 4 strategy DeploymentStrategy, 5 minReadySeconds int, 6 revisionHistoryLimit *int, 7 paused bool,
 9 progressDeadlineSeconds *int
DeploymentStrategy: 1 type string, 2 rollingUpdate *RollingUpdateDeployment
RollingUpdateDeployment: 1 maxUnavailable intorstring, 2 maxSurge intorstring
batch/v1/Job: 1 metadata ObjectMeta, 2 spec JobSpec, 3 status skip
JobSpec: 1 parallelism *int, 2 completions *int, 3 activeDeadlineSeconds *int, 4 selector *LabelSelector,
 5 manualSelector *bool, 6 template PodTemplateSpec, 7 backoffLimit *int, 8 ttlSecondsAfterFinished *int,
 9 completionMode *string, 10 suspend *bool, 14 podReplacementPolicy *string
policy/v1/Eviction: 1 metadata ObjectMeta, 2 deleteOptions *DeleteOptions
policy/v1/PodDisruptionBudget: 1 metadata ObjectMeta, 2 spec PodDisruptionBudgetSpec, 3 status skip
PodDisruptionBudgetSpec: 1 minAvailable intorstring, 2 selector *LabelSelector, 3 maxUnavailable intorstring,
 4 unhealthyPodEvictionPolicy *string
rbac.authorization.k8s.io/v1/Role: 1 metadata ObjectMeta, 2 rules []PolicyRule
rbac.authorization.k8s.io/v1/ClusterRole: 1 metadata ObjectMeta, 2 rules []PolicyRule
rbac.authorization.k8s.io/v1/RoleBinding: 1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef
rbac.authorization.k8s.io/v1/ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects []Subject,
 3 roleRef RoleRef
PolicyRule: 1 verbs []string, 2 apiGroups []string, 3 resources []string, 4 resourceNames []string,
 5 nonResourceURLs []string
Subject: 1 kind string, 2 apiGroup string, 3 name string, 4 namespace string
RoleRef: 1 apiGroup string, 2 kind string, 3 name string
authentication.k8s.io/v1/TokenRequest: 1 metadata ObjectMeta, 2 spec TokenRequestSpec, 3 status skip
TokenRequestSpec: 1 audiences []string, 4 expirationSeconds *int
coordination.k8s.io/v1/Lease: 1 metadata ObjectMeta, 2 spec LeaseSpec
LeaseSpec: 1 holderIdentity *string, 2 leaseDurationSeconds *int, 3 acquireTime microtime,
 4 renewTime microtime, 5 leaseTransitions *int
"""


def _field(text: str) -> tuple[int, Field]:
    number, name, kind = text.split()
    plain = kind.lstrip("*[]{}")
    marks = kind[: len(kind) - len(plain)]
    return int(number), Field(name, plain, "[]" in marks, "{}" in marks, "*" in marks)


def _messages(text: str) -> dict[str, Message]:
    found: dict[str, Message] = {}
    for block in text.strip().replace("\n ", " ").splitlines():
        name, _, fields = block.partition(": ")
        found[name] = dict(_field(part) for part in fields.split(","))
    return found


MESSAGES = _messages(_TEXT)
