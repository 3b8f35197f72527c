"""What is learnt about a file while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from harvestdetect.data import FileReading
from harvestdetect.dump.columns.kinds import PLACEHOLDERS
from harvestdetect.dump.values.text_columns import TextColumn

__all__ = ["FROM_PATH", "MANY_ACCOUNTS", "ONE_ACCOUNT", "Learnt"]

FROM_PATH: Final = "the path of the file"
"""In place of a column: each file has one value."""
ONE_ACCOUNT: Final = "all prompts of the file are of one account"
"""Beginning of the sentence about a file with one account."""
MANY_ACCOUNTS: Final = "the file has nearly as many accounts as prompts"
"""Beginning of the sentence about a file whose account may be the id of a request."""
_PLACEHOLDERS: Final = frozenset(
    spelled for name in PLACEHOLDERS for spelled in (name, name.upper(), name.capitalize(), name.title())
)
"""Accounts that name nobody, as programs write them."""
_MOST_ACCOUNTS: Final = 100_000
"""Distinct accounts of a file that are kept to count all of them."""
_ENOUGH: Final = 20
"""Prompts from which on one account for all of them is suspicious."""
_MANY: Final = 50
"""Prompts from which on as many accounts as prompts are suspicious."""
_UNIQUE: Final = 0.95
"""Accounts per prompt above which there are as many accounts as prompts."""
_MOST_WARNINGS: Final = 20
"""Warnings of a file that are kept."""


class Learnt:
    """What is learnt about one file. Its readers fill it."""

    def __init__(self) -> None:
        self.shape = ""
        self.columns: dict[str, str] = {}
        self.others: dict[str, tuple[str, ...]] = {}
        self.encoding = ""
        self.container = ""
        self.times = ""
        self.untimed = 0
        self.left_out: Counter[str] = Counter()
        self.warnings: list[str] = []
        self.wrappers: dict[str, None] = {}
        """Profiles of what rows are in."""
        self._accounts: set[int] = set()
        """Hashes of accounts."""
        self._prompts = 0
        self._mask = 0
        """Only hashes without these bits are kept, so that they are few."""
        self._placeholders: Counter[str] = Counter()

    def wrapped(self, profile: str) -> None:
        """Notes what rows are in."""
        if len(self.wrappers) < _MOST_WARNINGS:
            self.wrappers.setdefault(profile)

    def count(self, prompts: int, accounts: Sequence[Any]) -> None:
        """Counts the accounts of a block.

        Args:
            prompts: number of prompts in it.
            accounts: as the file has them.
        """
        self._prompts += prompts
        try:
            names = set(accounts.coded()[0] if isinstance(accounts, TextColumn) else accounts)
        except TypeError:  # a list or an object
            accounts = [account for account in accounts if isinstance(account, str | int)]
            names = set(accounts)
        names.discard(None)
        if self._mask:
            self._accounts.update(number for number in map(hash, names) if not number & self._mask)
        else:
            self._accounts.update(map(hash, names))
        while len(self._accounts) > _MOST_ACCOUNTS:
            self._mask = 2 * self._mask + 1
            self._accounts = {number for number in self._accounts if not number & self._mask}
        for account in names & _PLACEHOLDERS:
            self._placeholders[account] += accounts.count(account)

    def reading(self) -> FileReading:
        """What is known so far."""
        warnings = dict.fromkeys([*self._about_accounts(), *self.warnings])
        return FileReading(
            shape=self.shape,
            columns=dict(self.columns),
            others=dict(self.others),
            encoding=self.encoding,
            container=self.container,
            times=self.times,
            untimed=self.untimed,
            left_out=dict(self.left_out),
            warnings=tuple(warnings)[:_MOST_WARNINGS],
        )

    def _about_accounts(self) -> list[str]:
        found = []
        column = self.columns.get("account", "")
        rest = ", ".join(self.others.get("account", ()))
        rest = f"; other columns that could be meant: {rest}" if rest else ""
        where = f" ({column})" if column else ""
        if self._prompts >= _ENOUGH and len(self._accounts) == 1 and column != FROM_PATH:
            found.append(f"{ONE_ACCOUNT}{where}{rest}")
        elif self._prompts >= _MANY and len(self._accounts) * (self._mask + 1) >= _UNIQUE * self._prompts:
            counts = "" if self._mask else f": {len(self._accounts):,} for {self._prompts:,}"
            found.append(f"{MANY_ACCOUNTS}{where}{counts}{rest}")
        for account, count in self._placeholders.most_common(3):
            share = f"{count / self._prompts:.1%}"
            found.append(f"{count:,} prompts ({share}) are of the account {account!a}, which names nobody{rest}")
        return found
