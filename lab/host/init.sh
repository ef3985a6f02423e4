#!/bin/sh
# Becomes process 1 of a lab host: already in its own net, mount, uts, pid and ipc namespaces.
# arguments: host name, share folder, capability bounding set, folders to show read-only
set -eu
name=$1 share=$2 bounding=$3
shift 3

hostname "$name"
base=$share/root
mount -t tmpfs -o mode=755,size=512m "lab-$name" "$base"
mkdir "$base/upper" "$base/work" "$base/root" "$base/sys" "$base/proc"
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$base/root"
root=$base/root
mkdir -p "$root/run" "$root/old"

# Devices: only harmless ones. The machine's disks are not among them.
mount -t tmpfs -o mode=755,size=1m dev "$root/dev"
for device in null zero full random urandom tty; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,size=64m shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

mount -t tmpfs -o mode=755,size=64m run "$root/run"
mount -t tmpfs -o mode=1777,size=256m tmp "$root/tmp"
mount -t sysfs -o ro sysfs "$root/sys"
mkdir -p "$root/run/lab" "$root/run/lock" "$root/run/sshd" "$root/var/log/lab"
mount --bind "$share" "$root/run/lab"
for folder in "$@"; do
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount -o remount,ro,bind "$root$folder"
done
cp -R "$share/boot/." "$root/"

# The host's own sysctls, while /proc/sys can still be written: then it is closed and only net is opened again.
mount -t proc proc "$root/proc"
mount -t proc proc "$base/proc"
while read -r key value; do
    echo "$value" > "$root/proc/sys/$key"
done < "$share/sysctl.real"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount --bind "$base/proc/sys/net" "$root/proc/sys/net"
if [ -e "$root/proc/sysrq-trigger" ]; then
    mount --bind "$root/proc/sysrq-trigger" "$root/proc/sysrq-trigger"
    mount -o remount,ro,bind "$root/proc/sysrq-trigger"
fi

# SIMULATED sysctls: the kernel has one value for the whole machine, so the host gets a regular file instead.
for area in vm fs; do
    mkdir "$base/sys/$area"
    cp -R "/proc/sys/$area/." "$base/sys/$area" 2>/dev/null || true
    chmod -R u+w "$base/sys/$area"
    mount --bind "$base/sys/$area" "$root/proc/sys/$area"
done
while read -r key file; do
    [ -e "$root/proc/sys/$key" ] || continue
    cat "$root/proc/sys/$key" > "$base/sys/$file"
    mount --bind "$base/sys/$file" "$root/proc/sys/$key"
done < "$share/sysctl.simulated"

cd "$root"
pivot_root . old
umount -l /old
rmdir /old
exec setpriv --bounding-set="$bounding" -- /bin/sh /run/lab/start.sh
