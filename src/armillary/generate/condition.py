"""Condition: which strands of a place are given, which are generated, and how the others are kept out.

A *strand* is one input and output of a joint model. A given strand is at time 0 and stays as it is. A strand that is
neither given nor wanted must tell the network nothing: it is shown as noise, and said to be noise. The released COP-GEN
code shows noise and says that it is clean, which costs half of the signal where strands are strongly correlated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from armillary.errors import BadInput

Role = Literal["generate", "given", "ignored"]

Ignoring = Literal["noise at T", "jointly", "left out", "released"]
"""How an ignored strand is kept out. "noise at T": noise at time T, where it means nothing. "jointly": generated with
the wanted ones and dropped. "left out": not shown at all, which is fastest; for networks that learned from places with
absent strands. "released": new noise at every step, at time 0, as the released code does; wrong, kept for
comparison."""


_WANTED: Role = "generate"
_HELD: Role = "given"
_OTHER: Role = "ignored"


@dataclass(frozen=True)
class Roles:
    """The role of every strand of a model, in the network's order.

    Args:
        of: (strand, role) pairs.
        ignoring: how ignored strands are kept out.
        guidance: how much given strands count: 1 as much as the network says, 0 not at all, above 1 more.

    Example:
        >>> Roles.asking(("dem", "s1", "s2"), want=("s2",), given=("s1",)).of
        (('dem', 'ignored'), ('s1', 'given'), ('s2', 'generate'))
    """

    of: tuple[tuple[str, Role], ...]
    ignoring: Ignoring = "noise at T"
    guidance: float = 1.0

    @classmethod
    def asking(
        cls,
        strands: Iterable[str],
        want: Iterable[str],
        given: Iterable[str] = (),
        ignoring: Ignoring = "noise at T",
        *,
        guidance: float = 1.0,
    ) -> "Roles":
        """What is wanted from what is given; every other strand is ignored.

        Raises:
            BadInput: a strand both given and wanted, one that the model lacks, or nothing wanted.
        """
        known, wanted, held = tuple(strands), tuple(want), tuple(given)
        both = sorted(set(wanted) & set(held))
        if both:
            raise BadInput(f"{', '.join(both)} is both given and wanted; what is given comes back as it is: drop one")
        strange = sorted({*wanted, *held} - set(known))
        if strange:
            raise BadInput(f"{', '.join(strange)} is no strand of this model, which has {', '.join(known)}; name those")
        if not wanted:
            raise BadInput(f"nothing is wanted; name at least one of {', '.join(s for s in known if s not in held)}")
        role: dict[str, Role] = {**dict.fromkeys(wanted, _WANTED), **dict.fromkeys(held, _HELD)}
        return cls(tuple((s, role.get(s, _OTHER)) for s in known), ignoring, guidance)

    @property
    def strands(self) -> tuple[str, ...]:
        """All, in the network's order."""
        return tuple(s for s, _ in self.of)

    def named(self, role: Role) -> tuple[str, ...]:
        """The strands that have this role."""
        return tuple(s for s, r in self.of if r == role)

    @property
    def shown(self) -> tuple[str, ...]:
        """The strands that the network sees."""
        return tuple(s for s, r in self.of if r != "ignored" or self.ignoring != "left out")

    @property
    def guided(self) -> bool:
        """Whether the network is asked twice, once without what is given."""
        return self.guidance != 1 and bool(self.named("given"))

    @property
    def moving(self) -> tuple[str, ...]:
        """The strands whose time runs from T to the end."""
        return tuple(s for s, r in self.of if r == "generate" or (r == "ignored" and self.ignoring == "jointly"))
