"""The techniques of MITRE ATLAS that describe prompt harvesting. Every format tags its findings with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["TECHNIQUES", "Technique"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """A sub-technique of MITRE ATLAS with its technique and tactic."""

    id: str
    name: str
    parent_id: str
    parent: str
    tactic_id: str
    tactic: str

    @property
    def url(self) -> str:
        """Its page."""
        return f"https://atlas.mitre.org/techniques/{self.id}"


TECHNIQUES: Final = (
    Technique(
        id="AML.T0024.002",
        name="Extract AI Model",
        parent_id="AML.T0024",
        parent="Exfiltration via AI Inference API",
        tactic_id="AML.TA0010",
        tactic="Exfiltration",
    ),
    Technique(
        id="AML.T0048.004",
        name="AI Intellectual Property Theft",
        parent_id="AML.T0048",
        parent="External Harms",
        tactic_id="AML.TA0011",
        tactic="Impact",
    ),
)
"""What a campaign does, and the harm that it would do."""
