"""Signatures of a plan's id, made and checked by the real ssh-keygen; an agent where one is asked for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rollout.adapters.signatures import REVOKED
from rollout.engine.admission import admit
from rollout.engine.approvals import approval, persons, require_approved, required
from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.ports import NoSigners, Signed
from rollout.engine.run import apply
from rollout.errors import StepFailed
from rollout.model.plan import Plan, PlanKind, Signatures
from rollout.model.policy import Approval, Policy, Purpose
from rollout.model.step import Evict, InstallChart, RunCommand
from rollout.planner.digest import observed_digest
from rollout.planner.refuse import RuleRefused
from rollout.site.digest import site_digest
from tests.unit.fake_world import TEMPO, running
from tests.unit.signing_desk import ID, TWO, Desk, keygen, plan
from tests.unit.sites import site as small_site


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder, keys = tmp_path / "site", tmp_path / "keys"
    folder.mkdir()
    keys.mkdir()
    return Desk(replace(small_site(folder=folder), policy=TWO), keys)


def refused(desk: Desk) -> str:
    with pytest.raises(RuleRefused) as caught:
        require_approved(desk.signers, desk.site.policy, plan())
    assert caught.value.rule == "RUN-APPROVAL-01"
    return str(caught.value)


def test_two_people_who_sign_are_enough(desk: Desk) -> None:
    for name in ("alice@example", "bob@example"):
        desk.allow(name, desk.key(name))
        desk.sign(name, desk.key(name))
    require_approved(desk.signers, desk.site.policy, plan())
    assert desk.people() == (("alice@example",), ("bob@example",))


def test_a_refusal_says_who_has_signed_how_many_are_missing_and_the_command(desk: Desk) -> None:
    said = refused(desk)
    assert "upgrade must be signed by 2 people; signed by nobody, 2 missing" in said
    desk.allow("alice@example", desk.key("a"))
    desk.sign("alice@example", desk.key("a"))
    said = refused(desk)
    assert "signed by alice@example, 1 missing" in said
    assert "rackroll approve PLAN --as NAME --key KEY" in said
    assert "Traceback" not in said


def test_one_key_under_two_names_is_one_person(desk: Desk) -> None:
    for name in ("alice@example", "root@example"):
        desk.allow(name, desk.key("a"))
        desk.sign(name, desk.key("a"))
    assert desk.people() == (("alice@example", "root@example"),)
    assert "signed by alice@example alias root@example, 1 missing" in refused(desk)


def test_a_pattern_that_lets_one_key_take_any_name_makes_no_second_person(desk: Desk) -> None:
    desk.allow("*@example", desk.key("a"))
    for name in ("alice@example", "bob@example", "carol@example"):
        desk.sign(name, desk.key("a"))
    assert len(desk.people()) == 1


def test_signing_twice_counts_once(desk: Desk) -> None:
    desk.allow("alice@example", desk.key("a"))
    desk.allow("alice@example", desk.key("a2"))
    desk.sign("alice@example", desk.key("a"))
    desk.sign("alice@example", desk.key("a2"))
    assert len(desk.people()) == 1


def test_chained_names_and_keys_are_one_person() -> None:
    chain = (Signed("a", "k1"), Signed("b", "k1"), Signed("b", "k2"), Signed("c", "k2"), Signed("d", "k3"))
    assert persons(chain) == (("a", "b", "c"), ("d",))
    assert persons(reversed(chain)) == persons(chain)


def test_a_signature_of_another_plan_counts_for_nothing(desk: Desk) -> None:
    desk.allow("alice@example", desk.key("a"))
    desk.drop("alice@example", desk.key("a"), of="cd" * 32)
    assert desk.people() == ()
    assert "alice@example does not count" in desk.rejected()


def test_a_signature_made_for_something_else_counts_for_nothing(desk: Desk) -> None:
    desk.allow("alice@example", desk.key("a"))
    desk.drop("alice@example", desk.key("a"), namespace="git")
    assert desk.people() == ()


def test_a_key_that_the_file_lacks_or_gives_to_another_counts_for_nothing(desk: Desk) -> None:
    desk.allow("alice@example", desk.key("a"))
    desk.drop("alice@example", desk.key("stranger"))
    desk.drop("bob@example", desk.key("a"))
    assert desk.people() == ()
    assert "no line for this name with this key" in desk.rejected()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ('valid-before="20200101"', "key has expired"),
        ('valid-after="20990101"', "key is not yet valid"),
        ('namespaces="git"', "not permitted for use"),
    ],
)
def test_what_the_allowed_signers_file_says_about_a_key_holds(desk: Desk, options: str, words: str) -> None:
    desk.allow("alice@example", desk.key("a"), options)
    desk.drop("alice@example", desk.key("a"))
    assert desk.people() == ()
    assert words in desk.rejected()


def test_a_key_that_is_revoked_later_stops_counting(desk: Desk) -> None:
    desk.allow("alice@example", desk.key("a"))
    desk.sign("alice@example", desk.key("a"))
    assert len(desk.people()) == 1
    revoked = desk.signers.allowed.with_name(REVOKED)
    revoked.write_text(desk.key("a").with_name("a.pub").read_text())
    assert desk.people() == ()
    keygen("-q", "-k", "-f", str(revoked), str(desk.key("b").with_name("b.pub")))
    assert len(desk.people()) == 1, "a key revocation list without this key"


def test_without_an_allowed_signers_file_nobody_counts(desk: Desk) -> None:
    desk.drop("alice@example", desk.key("a"))
    assert "allowed_signers" in refused(desk)


def test_a_key_certified_by_the_sites_authority_signs(desk: Desk) -> None:
    authority, alice = desk.key("ca"), desk.key("a")
    keygen("-q", "-s", str(authority), "-I", "alice", "-n", "alice@example", str(alice.with_name("a.pub")))
    desk.allow("alice@example", authority, "cert-authority")
    desk.sign("alice@example", alice.with_name("a-cert.pub"))
    assert desk.people() == (("alice@example",),)


@pytest.mark.parametrize(
    "text", [b"", b"garbage", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"]
)
def test_a_file_that_is_no_signature_is_told_and_not_counted(desk: Desk, text: bytes) -> None:
    desk.allow("alice@example", desk.key("a"))
    folder = desk.signers.folder(ID)
    folder.mkdir(parents=True)
    (folder / "alice@example.sig").write_bytes(text)
    (folder / "-oProxyCommand=x.sig").write_bytes(text)
    assert desk.people() == ()
    assert "this is no signer's name" in desk.rejected()


def test_a_signature_that_would_not_count_is_not_even_kept(desk: Desk) -> None:
    desk.allow("alice@example", desk.key("a"))
    with pytest.raises(StepFailed, match="would not count") as caught:
        desk.sign("bob@example", desk.key("a"))
    assert "a line `bob@example ssh-ed25519 " in caught.value.hint
    assert "PRIVATE" not in str(caught.value)
    assert list(desk.signers.folder(ID).iterdir()) == []


@pytest.mark.parametrize("name", ["", "-I", "../../etc/passwd", "a b", "a\nb", "*", "a" * 300])
def test_a_name_is_a_name(desk: Desk, name: str) -> None:
    with pytest.raises(StepFailed, match="cannot be a signer's name"):
        desk.sign(name, desk.key("a"))


def test_a_key_that_is_not_there_or_is_none_is_told(desk: Desk) -> None:
    with pytest.raises(StepFailed, match="there is no key"):
        desk.sign("alice@example", desk.keys / "nowhere")
    (desk.keys / "text").write_text("not a key")
    with pytest.raises(StepFailed, match="did not sign"):
        desk.sign("alice@example", desk.keys / "text")


def test_a_private_key_is_used_where_it_is_and_never_copied(desk: Desk) -> None:
    key = desk.key("a")
    desk.allow("alice@example", key)
    desk.sign("alice@example", key)
    secret = key.read_text().splitlines()[2]
    kept = [path for path in desk.site.folder.rglob("*") if path.is_file()]
    assert {path.name for path in kept} == {"allowed_signers", "alice@example.sig"}
    assert not any(secret in path.read_text() for path in kept)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    for _ in range(200):
        if socket.exists():
            break
        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield
    process.terminate()
    process.wait(10)


@pytest.mark.usefixtures("agent")
def test_an_agent_signs_for_a_public_key(desk: Desk) -> None:
    key = desk.key("a")
    desk.allow("alice@example", key)
    public = key.with_name("a.pub")
    subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True, timeout=30)
    key.unlink()
    desk.sign("alice@example", public)
    assert desk.people() == (("alice@example",),)
    subprocess.run(["ssh-add", "-q", "-D"], check=True, capture_output=True, timeout=30)
    with pytest.raises(StepFailed, match="did not sign") as caught:
        desk.sign("alice@example", public)
    assert "ssh-add -l" in caught.value.hint


def test_what_nobody_must_sign_asks_nobody() -> None:
    class Shut:
        def signed(self, plan_id: str) -> tuple[Signed, ...]:
            raise AssertionError(plan_id)

    require_approved(Shut(), Policy(), plan())
    require_approved(
        Shut(), TWO, plan(PlanKind.BRINGUP, InstallChart("istio", "istiod", "i", "istiod", "1.31.1"))
    )


def test_a_world_without_signers_refuses_what_must_be_signed() -> None:
    with pytest.raises(RuleRefused):
        require_approved(NoSigners(), TWO, plan())


def needs(policy: Policy, made: Plan) -> dict[str, int]:
    return dict(required(policy, made))


def test_a_plan_that_was_edited_to_ask_for_nobody_still_needs_what_the_site_asks() -> None:
    assert needs(TWO, plan()) == {"upgrade": 2}
    assert needs(TWO, plan(PlanKind.BRINGUP, Evict("r1n1", "istio", "1.31.1"))) == {"upgrade": 2}
    assert needs(TWO, plan(PlanKind.MAINTAIN, InstallChart("istio", "d", "i", "c", "1"))) == {"upgrade": 2}
    assert needs(TWO, plan(PlanKind.MAINTAIN, RunCommand("r1n1", "x", ("true",)))) == {}


def test_what_a_plan_asks_beyond_the_site_counts_too() -> None:
    strict = (Signatures("strict", 3), Signatures("upgrade", 1))
    assert needs(TWO, plan(asks=strict)) == {"upgrade": 2, "strict": 3}
    assert approval(NoSigners(), TWO, plan(asks=strict)).needed == 3


def test_breaking_the_glass_always_takes_a_name() -> None:
    assert needs(Policy(), plan(glass="CVE-2026-1")) == {"break-glass": 1}
    asked = Policy(approvals=(Approval(Purpose.BREAK_GLASS, 2),))
    assert needs(asked, plan(glass="CVE-2026-1")) == {"break-glass": 2}


def test_apply_starts_only_what_enough_people_have_signed(desk: Desk) -> None:
    rack, live = running(desk.site)
    live = replace(live, signers=desk.signers)
    digests = {
        "site_digest": site_digest(desk.site),
        "observed_digest": observed_digest(desk.site, observe(live)),
    }
    made = replace(plan(), **digests)  # type: ignore[arg-type]
    with pytest.raises(RuleRefused, match="RUN-APPROVAL-01"):
        apply(live, made, MemoryJournal(), clock=rack, tempo=TEMPO)
    assert rack.nodes["r1n1"].owner is None, "nothing moved"
    for name in ("alice@example", "bob@example"):
        desk.allow(name, desk.key(name))
        desk.sign(name, desk.key(name))
    admit(live, made, MemoryJournal(), negative_control=False)
