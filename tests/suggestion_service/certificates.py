"""Authorities and certificates that a test makes for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass
class Authority:
    """A certificate authority whose files lie in ``folder``."""

    folder: Path
    name: str = "authority"

    def __post_init__(self) -> None:
        self._ca = trustme.CA()
        self.file = self.folder / f"{self.name}.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, identity: str, days: float = 30, name: str = "") -> dict[str, Path]:
        """Files with a certificate for ``identity``, valid for ``days`` (negative: until so long ago), and its key."""
        now = datetime.now(UTC)
        end = now + timedelta(days=days)
        issued = self._ca.issue_cert(identity, not_before=min(now, end) - timedelta(days=1), not_after=end)
        stem = name or f"{self.name}-{identity}-{days}"
        cert, key = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return {"cert": cert, "key": key}
