"""Signed snapshots: only the key that is trusted will do, and only for what it signed."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ipam.audit import files, signing
from ipam.audit.snapshot import Damaged, encode
from ipam.audit.source import SnapshotFile
from ipam.audit.survey import Limits, Survey
from tests.audit.cluster import Cluster

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
OPEN, SPKI = serialization.NoEncryption(), serialization.PublicFormat.SubjectPublicKeyInfo


def make_key(directory: Path, name: str) -> tuple[Path, Path]:
    """A key pair in two files: private, public."""
    key = Ed25519PrivateKey.generate()
    private, public = directory / f"{name}.pem", directory / f"{name}.pub"
    private.write_bytes(key.private_bytes(PEM, PKCS8, OPEN))
    public.write_bytes(key.public_key().public_bytes(PEM, SPKI))
    return private, public


def signed(path: Path, private: Path | None) -> Path:
    """A snapshot file."""
    sign = signing.signer(private) if private is not None else None
    files.write(path, encode(*Cluster(1, leases=5).nodes[0].snapshot(history=False), sign))
    return path


def problem(path: Path, public: Path) -> str:
    """What is wrong with a snapshot that has to be signed with that key; "" for nothing."""
    try:
        with SnapshotFile(path, signing.public_key(public)).open() as reading:
            list(reading.records())
    except Damaged as damage:
        return str(damage)
    return ""


def test_a_signed_snapshot_is_accepted_by_its_key_alone(tmp_path: Path) -> None:
    private, public = make_key(tmp_path, "one")
    _, other = make_key(tmp_path, "two")
    path = signed(tmp_path / "s.jsonl", private)
    assert problem(path, public) == ""
    assert "signed with another key" in problem(path, other)
    assert problem(signed(tmp_path / "bare.jsonl", None), public) == "it is not signed"


def test_a_signature_does_not_move_to_another_snapshot(tmp_path: Path) -> None:
    private, public = make_key(tmp_path, "one")
    path = signed(tmp_path / "s.jsonl", private)
    *lines, _, signature = path.read_bytes().splitlines(keepends=True)
    other = list(encode(*Cluster(1, leases=4).nodes[0].snapshot(history=False)))
    path.write_bytes(b"".join([*other, signature]))
    assert problem(path, public) == "the signature is not of this snapshot"
    path.write_bytes(b"".join([*lines, signature]))
    assert "unknown kind 'signature'" in problem(path, public)


@pytest.mark.parametrize("forged", [True, False], ids=["not signed", "cut off"])
def test_a_newer_snapshot_that_is_not_whole_takes_no_other_ones_place(tmp_path: Path, *, forged: bool) -> None:
    private, public = make_key(tmp_path, "one")
    node = Cluster(1, leases=5).nodes[0]
    header, records = node.snapshot(history=False)
    good, newer = tmp_path / "good.jsonl", tmp_path / "newer.jsonl"
    files.write(good, encode(header, list(records), signing.signer(private)))
    later = header._replace(time=header.time + 1)
    files.write(newer, encode(later, [], None if forged else signing.signer(private)))
    if not forged:
        newer.write_bytes(b"".join(newer.read_bytes().splitlines(keepends=True)[:-1]))
    sources = [SnapshotFile(path, signing.public_key(public)) for path in (newer, good)]
    found = Survey(sources, Limits(header.time))
    assert found.leases == 5
    assert [name for name, _ in found.damaged] == [str(newer)]
    assert not found.superseded


def test_openssl_makes_keys_that_will_do(tmp_path: Path) -> None:
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    assert problem(signed(tmp_path / "s.jsonl.gz", private), public) == ""


def test_a_file_without_such_a_key_says_what_to_do(tmp_path: Path) -> None:
    other = tmp_path / "ec.pem"
    other.write_bytes(generate_private_key(SECP256R1()).private_bytes(PEM, PKCS8, OPEN))
    with pytest.raises(ValueError, match="openssl genpkey -algorithm ed25519"):
        signing.signer(other)
    (tmp_path / "nothing").write_text("nothing")
    with pytest.raises(ValueError, match="holds no private key"):
        signing.signer(tmp_path / "nothing")
    with pytest.raises(ValueError, match="holds no public key"):
        signing.public_key(tmp_path / "nothing")
