"""Turns identifiers into keyed digests, which can be compared, and sealed values, which can be read again.

The key lives in a file outside the database (keys/identity.key); without it neither can be undone or even
guessed: a plain hash of a phone number is no secret, there are only 4 x 10^10 of them.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mappings.problems import LiukeError, Problem, Text

DIGEST_BYTES = 16
_FORMAT = b"liuke-identity-1"
_SEALED_VERSION = b"\x01"


@dataclass(frozen=True, repr=False)
class Keys:
    """The identity key of one installation: 32 random bytes, from which the working keys are derived.

    `id` names the key without revealing it: the store keeps it beside the data, so that opening a database
    with another installation's key is noticed before anything is written.
    """

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise ValueError("an identity key has 32 bytes")

    @classmethod
    def generate(cls) -> Keys:
        return cls(secrets.token_bytes(32))

    @classmethod
    def from_bytes(cls, content: bytes) -> Keys:
        """Reads what to_bytes wrote; a LiukeError if even one character of it is missing or changed."""
        parts = content.split()
        if len(parts) == 3 and parts[0] == _FORMAT:
            try:
                secret = base64.b64decode(parts[1], validate=True)
            except ValueError:
                secret = b""
            if len(secret) == 32 and parts[2] == cls(secret).id.encode():
                return cls(secret)
        raise LiukeError(
            Problem(
                "identity.key-damaged",
                Text("身份密钥文件损坏或不完整", "The identity key file is damaged or incomplete"),
                do=Text(
                    "从备份恢复 keys/identity.key;不要新建密钥,否则已有标识全部失效",
                    "Restore keys/identity.key from the backup; with a new key every stored identifier is lost",
                ),
            )
        )

    def to_bytes(self) -> bytes:
        """The content of the key file: one line of ASCII that says what it is and carries its own check."""
        return b" ".join((_FORMAT, base64.b64encode(self.secret), self.id.encode())) + b"\n"

    @property
    def id(self) -> str:
        return self._derive(b"key id", 4).hex()

    def digest(self, kind: str, scope: str, value: str) -> bytes:
        """The 16 bytes by which this identifier is compared: keyed BLAKE2b of kind, scope and value."""
        state = self._digester(kind, scope)
        state.update(value.encode())
        return state.digest()

    def seal(self, kind: str, scope: str, value: str) -> bytes:
        """The value encrypted with AES-256-GCM, the same bytes for the same identifier every time.

        The nonce is the first 12 bytes of the digest, a keyed pseudo-random function of exactly what is
        encrypted and authenticated (kind, scope, value). So a nonce comes back only with the same
        identifier, which gives the same bytes and tells no more than the digest beside it does already;
        two different identifiers meet in 96 bits with a probability under 10^-14 among 20 million.
        (A random nonce would make the stored tables depend on the order of arrival.)
        """
        nonce = self.digest(kind, scope, value)[:12]
        return _SEALED_VERSION + self._cipher.encrypt(nonce, value.encode(), _bound_to(kind, scope))

    def open(self, kind: str, scope: str, digest: bytes, sealed: bytes) -> str:
        """The value of a row; ValueError if row, key and sealed value do not belong together."""
        if sealed[:1] != _SEALED_VERSION:
            raise ValueError("sealed by another version")
        try:
            value = self._cipher.decrypt(digest[:12], sealed[1:], _bound_to(kind, scope)).decode()
        except InvalidTag:
            raise ValueError("sealed with another key, or for another identifier") from None
        if self.digest(kind, scope, value) != digest:
            raise ValueError("the digest beside the sealed value is another identifier's")
        return value

    def protect(self, identifiers: pl.DataFrame, *, seal: bool = True) -> pl.DataFrame:
        """Adds the columns `digest` and `value_enc` to rows of kind, scope, value; null where value is null.

        Every distinct identifier is computed once, however many rows carry it.
        """
        keys = ["kind", "scope", "value"]
        distinct = identifiers.filter(pl.col("value").is_not_null()).select(keys).unique(maintain_order=True)
        done = [
            self._protected(part, str(kind), str(scope), seal)
            for (kind, scope), part in distinct.group_by(["kind", "scope"], maintain_order=True)
        ]
        empty = distinct.clear().with_columns(digest=pl.lit(None, pl.Binary), value_enc=pl.lit(None, pl.Binary))
        protected = pl.concat([empty, *done])
        if not seal:
            protected = protected.drop("value_enc")
        return identifiers.join(protected, on=keys, how="left", maintain_order="left")

    def _protected(self, part: pl.DataFrame, kind: str, scope: str, seal: bool) -> pl.DataFrame:
        values = [value.encode() for value in part["value"].to_list()]
        digests = list(self._digests(kind, scope, values))
        sealed: list[bytes | None] = [None] * len(values)
        if seal:
            encrypt, bound = self._cipher.encrypt, _bound_to(kind, scope)
            sealed = [
                _SEALED_VERSION + encrypt(digest[:12], value, bound)
                for digest, value in zip(digests, values, strict=True)
            ]
        return part.with_columns(pl.Series("digest", digests, pl.Binary), pl.Series("value_enc", sealed, pl.Binary))

    def _digests(self, kind: str, scope: str, values: Iterable[bytes]) -> Iterable[bytes]:
        copy = self._digester(kind, scope).copy  # the key block and the prefix are hashed once, not per value
        for value in values:
            state = copy()
            state.update(value)
            yield state.digest()

    def _digester(self, kind: str, scope: str) -> blake2b:
        return blake2b(_bound_to(kind, scope), digest_size=DIGEST_BYTES, key=self._digest_key)

    @cached_property
    def _digest_key(self) -> bytes:
        return self._derive(b"digest", 32)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._derive(b"seal", 32))

    def _derive(self, purpose: bytes, size: int) -> bytes:
        return blake2b(purpose, digest_size=size, key=self.secret, person=b"liuke identity").digest()


def _bound_to(kind: str, scope: str) -> bytes:
    """Kind and scope with their lengths, so that no two (kind, scope, value) ever run into the same bytes."""
    return b"%d:%b%d:%b" % (len(kind.encode()), kind.encode(), len(scope.encode()), scope.encode())
