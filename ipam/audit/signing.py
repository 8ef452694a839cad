"""Ed25519 signatures of snapshots (RFC 8032), by the cryptography package."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from ipam.audit.records import Json
    from ipam.audit.snapshot import Sign, Signature

_CONTEXT = b"ipam snapshot 1\n"  # so that no signature made for something else will do


class BadSignature(ValueError):
    """The signature is missing, is not the key's, or is of something else."""


def signer(path: Path) -> Sign:
    """What signs with the private key in a PEM file. Raises ValueError, OSError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        raise ValueError(f"{path} holds no private key in PEM, or one with a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds a key of another kind; make one with: openssl genpkey -algorithm ed25519")
    public = _text(key.public_key())

    def sign(end: bytes) -> Json:
        return {"algorithm": "Ed25519", "key": public, "signature": b64encode(key.sign(_CONTEXT + end)).decode()}

    return sign


def public_key(path: Path) -> str:
    """The public key in a PEM file, as signatures name it. Raises ValueError, OSError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError:
        raise ValueError(f"{path} holds no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path} holds a key of another kind than Ed25519")
    return _text(key)


def verify(signature: Signature | None, trusted: str | None) -> str:
    """The public key that signed. Raises BadSignature; `trusted` is the only key accepted, any where it is None."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signature is None:
        raise BadSignature("it is not signed")
    if trusted is not None and signature.key != trusted:
        raise BadSignature(f"it is signed with another key, {signature.key[:80]!r}")
    try:
        key = Ed25519PublicKey.from_public_bytes(b64decode(signature.key, validate=True))
        key.verify(b64decode(signature.signature, validate=True), _CONTEXT + signature.signed)
    except (ValueError, InvalidSignature):
        raise BadSignature("the signature is not of this snapshot") from None
    return signature.key


def _text(key: Ed25519PublicKey) -> str:
    return b64encode(key.public_bytes_raw()).decode()
