"""Approvals as OpenSSH signatures: ``ssh-keygen -Y sign`` and ``-Y verify``. Keys stay where their owners keep them.

They are kept in ``<site>/.rackroll/approvals/<plan id>/<name>.sig``, one file for each name; a file that was made
elsewhere counts as well once it lies there. Who may sign is the site's allowed_signers file, with everything that
ssh-keygen reads in it (valid-after, valid-before, namespaces, cert-authority); ``revoked_signers`` beside it, if there
is one, is a list of keys or a KRL.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rollout.engine.ports import Signed
from rollout.engine.rundir import FOLDER
from rollout.errors import StepFailed
from rollout.model.site import Site

NAMESPACE = "rackroll-plan"
"""So that a signature made for a git commit, or for a file, is none for a plan."""

REVOKED = "revoked_signers"
_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,120}\Z")
_GOOD = re.compile(r'Good "rackroll-plan" signature for (\S+) with \S+ key (SHA256:\S+)')
_TIMEOUT = 20.0  # seconds for a verification
_PATIENCE = 120.0  # seconds for a person to type a passphrase or to touch a security key
_LARGEST = 64 * 1024


def message(plan_id: str) -> bytes:
    """What is signed: the id and a newline, so that ``echo ID | ssh-keygen -Y sign`` signs the same."""
    return f"{plan_id}\n".encode()


@dataclass(frozen=True, slots=True)
class SshSigners:
    """Implements :class:`rollout.engine.ports.Signers`."""

    site: Site

    @property
    def allowed(self) -> Path:
        return self.site.folder / self.site.policy.allowed_signers

    def folder(self, plan_id: str) -> Path:
        return self.site.folder / FOLDER / "approvals" / plan_id

    def signed(self, plan_id: str) -> tuple[Signed, ...]:
        files = sorted(self.folder(plan_id).glob("[!.]*.sig"))
        return tuple(self._verified(file.stem, file, plan_id) for file in files)

    def sign(self, plan_id: str, principal: str, key: Path) -> Path:
        """Stored only if it verifies: a signature that will not count is better known now than at night.

        ``key`` is a private key, or a public one whose private half an agent holds. Asks for a passphrase on the
        terminal if there is one to ask for.
        """
        if not _PRINCIPAL.match(principal):
            hint = "use the name that the allowed_signers file has, such as alice@example"
            raise StepFailed(f"{principal[:60]!r} cannot be a signer's name", hint=hint)
        target = self.folder(plan_id) / f"{principal}.sig"
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{principal}.sig")
        aside.write_bytes(_made(plan_id, key))
        found = self._verified(principal, aside, plan_id)
        if found.rejected:
            aside.unlink()
            hint = f"see {self.allowed}: a line `{principal} {_public(key)}`"
            text = f"a signature of {principal} with {key} would not count: {found.rejected}"
            raise StepFailed(text, where=str(self.allowed), hint=hint)
        aside.replace(target)
        return target

    def _verified(self, principal: str, file: Path, plan_id: str) -> Signed:
        if not _PRINCIPAL.match(principal):
            return Signed(principal[:60], "", "this is no signer's name")
        if file.stat().st_size > _LARGEST:
            return Signed(principal, "", "its file is too large for a signature")
        argv = ["ssh-keygen", "-Y", "verify", "-f", str(self.allowed), "-I", principal, "-n", NAMESPACE]
        revoked = self.allowed.with_name(REVOKED)
        done = _run([*argv, *(("-r", str(revoked)) if revoked.exists() else ()), "-s", str(file)], plan_id)
        good = _GOOD.search(done.stdout.decode(errors="replace"))
        if done.returncode == 0 and good is not None and good[1] == principal:
            return Signed(principal, good[2])
        return Signed(principal, "", _why(done.stderr))


def _made(plan_id: str, key: Path) -> bytes:
    if not key.is_file():
        raise StepFailed(
            f"there is no key {key}", hint="name your private key, or a .pub whose key your agent has"
        )
    done = _run(["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", NAMESPACE], plan_id, _PATIENCE)
    if done.returncode != 0 or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        hint = "for a .pub: is the key in your agent (`ssh-add -l`)? else: is the passphrase right?"
        raise StepFailed(f"ssh-keygen did not sign: {_why(done.stderr)}", where=str(key), hint=hint)
    return done.stdout


def _run(argv: list[str], plan_id: str, timeout: float = _TIMEOUT) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(argv, input=message(plan_id), capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise StepFailed(
            "there is no ssh-keygen here", hint="install OpenSSH's client (8.2 or newer)"
        ) from None
    except subprocess.TimeoutExpired:
        raise StepFailed(
            f"ssh-keygen did not end within {timeout:g} s", hint="is an agent waiting?"
        ) from None


def _why(stderr: bytes) -> str:
    """ssh-keygen says nothing where no line of the file matches name and key."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if "on standard input" not in line]
    return (
        "; ".join(line.strip() for line in lines if line.strip())[:300]
        or "no line for this name with this key"
    )


def _public(key: Path) -> str:
    """The public half beside a private key, for a hint; never the private one."""
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    try:
        words = public.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        words = []
    return " ".join(words[:2]) if words[:1] and words[0].startswith(("ssh-", "ecdsa-", "sk-")) else "KEY"
