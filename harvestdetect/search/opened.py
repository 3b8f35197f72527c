"""An open search: questions to the index of a window, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, get_args

import numpy as np

from harvestdetect.context import open_context
from harvestdetect.data import NO_TIME, PART, WHOLE_KINDS, View
from harvestdetect.embed.encoders import Encoder, load_encoder
from harvestdetect.errors import InputError, UsageError
from harvestdetect.search.build import build_meaning, known_meanings, registry_of
from harvestdetect.search.campaigns import Campaigns
from harvestdetect.search.index import Column, Index, Vectors, open_vectors
from harvestdetect.search.place import Place
from harvestdetect.search.question import question_of
from harvestdetect.search.sharing import matching_values, shown_value
from harvestdetect.search.values import AccountHits, By, CampaignHits, Found, Hit, Searched, Value
from harvestdetect.store.digests import locate
from harvestdetect.store.models import DIGESTS, is_whole, remove_indexes
from harvestdetect.util.arrays import AnyArray, Bools, Floats32, Ints, ranges, unique
from harvestdetect.util.ids import nearest as nearest_names
from harvestdetect.util.ids import some
from harvestdetect.util.redact import redact

__all__ = ["HIT_EXCERPT", "MOST_HITS", "NEAR", "SCOPE", "Search"]

SCOPE: Final = 10_000
"""Number of texts, the nearest to a question, whose prompts are looked at."""
NEAR: Final = 0.8
"""Cosine from which a prompt counts as near, as in :mod:`harvestdetect.accounts.seeds`. Chosen: at 0.75, long prompts
on other matters are near as well; at 0.85, paraphrases no longer are."""
MOST_HITS: Final = 1_000
"""Most hits, accounts and campaigns of an answer."""
HIT_EXCERPT: Final = 300
"""Most characters of a text that is not revealed."""
MOST_SENDERS: Final = 20
"""Most accounts that a hit names."""
MOST_VALUES: Final = 50
"""Most values of an account that an answer names."""
_LONGEST_VALUE: Final = 10_000
"""Most characters of a value or an account that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Prompts that were found: of requests that were repeated, only the first."""

    row: Ints
    """int64[q], distinct."""
    similarity: Floats32
    exact: Bools
    text: Ints
    """int64[q]: the text through which each was found, -1 if nothing was compared."""

    def take(self, places: Ints) -> _Rows:
        """Some of the prompts."""
        return _Rows(
            row=self.row[places], similarity=self.similarity[places], exact=self.exact[places], text=self.text[places]
        )


class Search:
    """An open search, as :func:`harvestdetect.search.open_search` gives it: a context manager that closes it.

    Args:
        place: what is searched.
        folder: of its index, which is whole.
        index: the open index.
        wording: its vectors.
        campaigns: of the prompts.
        notes: called with a sentence if something is done in another way than asked.
    """

    def __init__(
        self, place: Place, folder: Path, index: Index, wording: Vectors, campaigns: Campaigns,
        notes: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._place = place
        self._folder = folder
        self._index = index
        self._wording: Vectors | None = wording
        self._meaning: Vectors | None = None
        self._encoders: dict[By, Encoder] = {}
        self._campaigns = campaigns
        self._notes = notes
        self._identity = _identity(folder)
        self._registry = registry_of(place.settings, notes)

    def __enter__(self) -> Search:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets the files of the index go."""
        self._wording = self._meaning = None
        self._encoders.clear()

    @property
    def place(self) -> Place:
        """What is searched."""
        return self._place

    def is_there(self) -> bool:
        """Whether the folder of the index is the one that was opened. It is removed when an account is erased."""
        return self._identity is not None and _identity(self._folder) == self._identity

    # ------------------------------------------------------------ questions

    def nearest(self, text: str, *, top: int = 20, by: By = "wording", reveal: bool = False) -> Found:
        """The prompts nearest to a text, and who sent them.

        Prompts that have the text itself come first. ``hits`` are the nearest prompts, however far they are. Accounts
        and campaigns are those of prompts with a cosine of at least :data:`NEAR`.

        Args:
            text: a prompt, or a part of one.
            top: most hits, accounts and campaigns of the answer.
            by: how texts are compared; ``exact`` finds the same text alone.
            reveal: show whole texts. Otherwise they are redacted and cut.

        Raises:
            UsageError: ``by`` is none of these, or ``top`` is less than one.
            InputError: the text is empty or too long, or no text of the window has a vector of meaning.
            EncoderError: the model cannot be found, loaded or trusted.
        """
        _check_top(top)
        if by not in get_args(By):
            raise UsageError(f"by must be one of {', '.join(get_args(By))}, got {by!r}")
        index = self._index
        question = question_of(
            text, settings=self._place.settings, registry=self._registry, preambles=index.preambles
        )  # fmt: skip
        there, place = locate(index.digest, question.whole)
        same = unique(place[there].astype(np.int64))
        if by == "exact":
            rows = self._prompts_with(same, np.ones(len(same), np.float32), same=len(same))
            return self._found(rows, self._searched(len(index.text)), top=top, reveal=reveal)
        vectors, encoder = self._view(by)
        near, cosine = vectors.nearest(encoder.encode(list(question.texts)), SCOPE)
        others = ~np.isin(near, same)
        texts = np.concatenate([same, near[others]])
        similarity = np.concatenate([np.ones(len(same), np.float32), cosine[others]])
        found = self._found(
            self._prompts_with(texts, similarity, same=len(same)), self._searched(len(vectors)), top=top, reveal=reveal
        )
        if len(near) < SCOPE or cosine[-1] < NEAR:
            return found
        more = f"more than {SCOPE:,} texts are near; prompts, accounts and campaigns are those of the nearest ones"
        return _with(found, notes=(more,))

    def of_account(self, account: str, *, top: int = 20, reveal: bool = False) -> Found:
        """What an account sends, who else sends the same texts, and which values it shares with others.

        Args:
            account: its id.
            top: most hits and accounts of the answer: the texts that it sent most often first.
            reveal: as for :meth:`nearest`.

        Raises:
            InputError: no prompt of the window is of this account.
        """
        _check_top(top)
        index, number = self._index, self._account(account)
        rows = index.rows_of(number)
        rows = rows[np.asarray(index.counts[rows])]
        own = self._same_texts(rows)
        found = self._found(own, self._searched(len(index.text)), top=top, reveal=reveal, first=number)
        values = [
            one
            for name, column in index.fields.items()
            for value in unique(np.asarray(column.code[rows]))
            if value >= 0 and (one := self._value(name, column, int(value))).accounts > 1
        ]
        values.sort(key=lambda one: (one.accounts, one.field, one.tag))
        left = len(values) - MOST_VALUES
        notes = (f"{left:,} more values that it shares are not listed",) if left > 0 else ()
        return _with(found, values=tuple(values[:MOST_VALUES]), notes=notes)

    def sharing(self, value: str, *, top: int = 20, reveal: bool = False) -> Found:
        """The accounts that share an address, a network, a card or another value.

        Args:
            value: the value as it is in the dump, a network such as ``203.0.113.*`` or ``203.0.113.0/24``, or a tag
                such as ``card#a3f1``.
            top: most accounts and texts of the answer: the accounts with the most prompts first.
            reveal: as for :meth:`nearest`.

        Raises:
            InputError: no prompt of the window has this value, several values have the tag, or the network is of
                another size than those that are counted.
        """
        _check_top(top)
        if len(value) > _LONGEST_VALUE:
            raise InputError(f"the value has {len(value):,} characters, more than {_LONGEST_VALUE:,}; give one value")
        index = self._index
        found = matching_values(index, value)
        if not found:
            raise InputError(
                f"no prompt of the window has the value or tag {_cut(value)!a}; give the value as it is in the dump, "
                "or a tag of search --account"
            )
        has = np.zeros(len(index.account), bool)
        for name, position in found:
            has |= np.asarray(index.fields[name].code) == position
        rows = np.flatnonzero(has & np.asarray(index.counts))
        answer = self._found(_plain(rows), self._searched(len(index.text)), top=top, reveal=reveal)
        return _with(answer, values=tuple(self._value(name, index.fields[name], one) for name, one in found))

    # ------------------------------------------------------------ views

    def _view(self, by: By) -> tuple[Vectors, Encoder]:
        """The vectors of a view and its encoder, which are loaded when they are first asked for."""
        if self._wording is None:
            raise UsageError("the search is closed; open it again")
        view: View = "meaning" if by == "meaning" else "wording"
        settings = self._place.settings
        if by not in self._encoders:
            self._encoders[by] = load_encoder(view, settings=settings, notes=self._notes)
        encoder = self._encoders[by]
        if by != "meaning":
            return self._wording, encoder
        if self._meaning is None:
            self._meaning = self._open_meaning(encoder)
        return self._meaning, encoder

    def _open_meaning(self, encoder: Encoder) -> Vectors:
        """The vectors of meaning that scans have cached. More may have come since an index of them was made.

        Raises:
            InputError: no text of the window has one.
        """
        begins = f"{self._folder.name}-meaning-{encoder.digest[:12]}-"
        there = [path for path in self._folder.parent.glob(f"{begins}*") if path.name[len(begins) :].isdigit()]
        made = max(there, key=lambda path: int(path.name[len(begins) :]), default=None)
        context = open_context(self._place.settings)
        with closing(context.engine):
            count = known_meanings(self._index.digest, encoder, context)
            if made is None or int(made.name[len(begins) :]) < count or not is_whole(made):
                if not count:
                    raise InputError(
                        "no text of the window has a vector of meaning; run the scan again with --encoder full, which "
                        "makes them, or search by wording"
                    )
                made = self._folder.with_name(f"{begins}{count}")
                build_meaning(made, self._index.digest, encoder, context)
                remove_indexes(self._place.folder, but=(self._folder.name, made.name))
        rows = np.load(made / "rows.npy", allow_pickle=False)
        return open_vectors(made, "meaning", rows)

    # ------------------------------------------------------------ prompts

    def _account(self, account: str) -> int:
        accounts = self._index.accounts
        number = accounts.place(account) if len(account) <= _LONGEST_VALUE else None
        if number is not None:
            return number
        near = nearest_names(account, accounts, at_least=0.8) if len(accounts) <= 100_000 else []
        said = f"; the nearest: {some(near)}" if near else ""
        raise InputError(f"no prompt of the window is of the account {_cut(account)!a}{said}")

    def _prompts_with(self, texts: Ints, similarity: Floats32, *, same: int) -> _Rows:
        """The prompts that have some texts, each with the best of its texts: the first of them.

        Args:
            texts: int64[t], the best first.
            similarity: float32[t], of each.
            same: how many of them, the first, are the text that was asked for.
        """
        index = self._index
        exact = (np.arange(len(texts)) < same) & np.asarray(index.kind[texts] < WHOLE_KINDS)
        first = np.asarray(index.posting_start[texts], np.int64)
        count = np.asarray(index.posting_start[texts + 1], np.int64) - first
        row = np.asarray(index.posting_prompt[ranges(first, count)], np.int64)
        of = np.repeat(np.arange(len(texts)), count)
        kept = np.asarray(index.counts[row], bool)
        row, at = np.unique(row[kept], return_index=True)
        of = of[kept][at]
        return _Rows(row=row, similarity=similarity[of], exact=exact[of], text=texts[of])

    def _same_texts(self, rows: Ints) -> _Rows:
        """All prompts whose content is that of one of some prompts."""
        index = self._index
        same = np.isin(np.asarray(index.content), unique(np.asarray(index.content[rows])))
        return _plain(np.flatnonzero(same & np.asarray(index.counts)))

    def _value(self, name: str, column: Column, position: int) -> Value:
        index = self._index
        rows = np.flatnonzero((np.asarray(column.code) == position) & np.asarray(index.counts))
        return shown_value(
            name, column, position, accounts=len(unique(np.asarray(index.account[rows]))), prompts=len(rows)
        )  # fmt: skip

    def _searched(self, texts: int) -> Searched:
        index = self._index
        return Searched(
            kind=self._place.kind, texts=texts, all_texts=len(index.text),
            prompts=int(np.asarray(index.counts).sum()), accounts=len(index.accounts), files=len(index.files),
        )  # fmt: skip

    # ------------------------------------------------------------ answers

    def _found(self, rows: _Rows, searched: Searched, *, top: int, reveal: bool, first: int | None = None) -> Found:
        """The answer that shows some prompts. ``first``: the account whose prompts decide the order, if one does."""
        index, near = self._index, rows.take(np.flatnonzero(rows.similarity >= NEAR))
        groups = _Groups(np.asarray(index.content[rows.row]), rows)
        weight = groups.count
        if first is not None:
            weight = groups.counted(np.asarray(index.account[rows.row]) == first)
        order = np.lexsort((groups.at, -weight, -groups.similarity, ~groups.exact))[:top]
        campaigns = self._campaigns.of(rows.row, index)
        hits = [self._hit(rows, groups.members(int(i)), campaigns, reveal=reveal) for i in order]
        account = np.asarray(index.account[near.row])
        senders, campaigns = _Groups(account, near), self._campaigns.of(near.row, index)
        order = np.lexsort((senders.value, -senders.count, -senders.similarity, ~senders.exact))[:top]
        return Found(
            searched=searched, prompts=len(near.row), account_count=len(senders.value), hits=tuple(hits),
            accounts=tuple(self._account_hits(near, senders.members(int(i)), campaigns) for i in order),
            campaigns=self._campaign_hits(near, account, campaigns)[:top], notes=self._place.notes,
        )  # fmt: skip

    def _hit(self, rows: _Rows, members: Ints, campaigns: tuple[Ints, AnyArray], *, reveal: bool) -> Hit:
        index, row = self._index, rows.row[members]
        best = members[int(np.lexsort((row, -rows.similarity[members]))[0])]
        sender, count = np.unique(np.asarray(index.account[row]), return_counts=True)
        named = sender[np.lexsort((sender, -count))][:MOST_SENDERS]
        first_seen, last_seen = self._period(row)
        text, whole = int(rows.text[best]), int(row.min())
        passage = index.text[text] if text >= 0 and index.kind[text] >= WHOLE_KINDS else ""
        return Hit(
            text=_shown(self._prompt_text(whole), reveal), similarity=round(float(rows.similarity[best]), 4),
            exact=bool(rows.exact[members].any()), passage=_shown(passage, reveal), prompts=len(members),
            accounts=len(sender), senders=tuple(index.accounts[int(one)] for one in named),
            campaigns=self._ids(campaigns, members), first_seen=first_seen, last_seen=last_seen,
            file=index.files[int(index.file[whole])], line=int(index.line[whole]),
        )  # fmt: skip

    def _prompt_text(self, row: int) -> str:
        """The parts of a prompt, those of the user first. A part that was all scaffold or preamble is not kept."""
        index = self._index
        parts = np.asarray(index.part[int(index.part_start[row]) : int(index.part_start[row + 1])])
        ordered = sorted(parts.tolist(), key=lambda part: (index.kind[part] != PART, part))
        return "\n\n".join(index.text[part] for part in ordered)

    def _account_hits(self, rows: _Rows, members: Ints, campaigns: tuple[Ints, AnyArray]) -> AccountHits:
        index, row = self._index, rows.row[members]
        number = int(index.account[int(row[0])])
        first_seen, last_seen = self._period(row)
        return AccountHits(
            account=index.accounts[number], prompts=len(row),
            volume=int(np.asarray(index.counts[index.rows_of(number)]).sum()),
            similarity=round(float(rows.similarity[members].max()), 4), exact=bool(rows.exact[members].any()),
            campaigns=self._ids(campaigns, members), first_seen=first_seen, last_seen=last_seen,
        )  # fmt: skip

    def _campaign_hits(
        self, rows: _Rows, account: AnyArray, campaigns: tuple[Ints, AnyArray]
    ) -> tuple[CampaignHits, ...]:
        at, campaign = campaigns
        found = []
        for number in unique(campaign).tolist():
            own = at[campaign == number]
            one = CampaignHits(
                campaign_id=self._campaigns.ids[number], tier=self._campaigns.tiers[number], prompts=len(own),
                accounts=len(unique(account[own])), similarity=round(float(rows.similarity[own].max()), 4),
            )  # fmt: skip
            found.append(one)
        return tuple(sorted(found, key=lambda one: (-one.prompts, one.campaign_id)))

    def _ids(self, campaigns: tuple[Ints, AnyArray], members: Ints) -> tuple[str, ...]:
        at, campaign = campaigns
        first, last = np.searchsorted(at, members), np.searchsorted(at, members, side="right")
        own = unique(np.asarray(campaign)[ranges(first, last - first)])
        return tuple(sorted(self._campaigns.ids[number] for number in own.tolist()))

    def _period(self, row: Ints) -> tuple[int | None, int | None]:
        time = np.asarray(self._index.time[row])
        time = time[time != NO_TIME]
        return (int(time.min()), int(time.max())) if len(time) else (None, None)


class _Groups:
    """Prompts that were found, grouped by a number of each.

    Args:
        of: int[q], the group of each prompt.
        rows: the q prompts.
    """

    def __init__(self, of: AnyArray, rows: _Rows) -> None:
        self._order = np.argsort(of, kind="stable")
        self.value, self._start, self.count = np.unique(of[self._order], return_index=True, return_counts=True)
        start = self._start
        self.similarity = np.maximum.reduceat(rows.similarity[self._order], start) if len(start) else rows.similarity
        self.exact = np.maximum.reduceat(rows.exact[self._order], start) if len(start) else rows.exact
        self.at = np.minimum.reduceat(rows.row[self._order], start) if len(start) else rows.row

    def members(self, group: int) -> Ints:
        """Positions of the prompts of a group."""
        return self._order[self._start[group] : self._start[group] + self.count[group]]

    def counted(self, wanted: Bools) -> Ints:
        """How many wanted prompts each group has."""
        if not len(self._start):
            return self.count
        return np.asarray(np.add.reduceat(wanted[self._order].astype(np.int64), self._start))


def _plain(rows: Ints) -> _Rows:
    """Prompts that were not compared with anything."""
    return _Rows(
        row=rows, similarity=np.ones(len(rows), np.float32), exact=np.zeros(len(rows), bool),
        text=np.full(len(rows), -1, np.int64),
    )  # fmt: skip


def _with(found: Found, *, values: Sequence[Value] = (), notes: Iterable[str] = ()) -> Found:
    return replace(found, values=tuple(values), notes=(*found.notes, *notes))


def _shown(text: str, reveal: bool) -> str:
    if reveal:
        return text
    # What is cut off is not redacted first: a text may have a million characters.
    clean = redact(text[: 4 * HIT_EXCERPT])
    return clean if len(clean) <= HIT_EXCERPT and len(text) <= 4 * HIT_EXCERPT else clean[: HIT_EXCERPT - 1] + "…"


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another at its place: inode and time of change in nanoseconds; None if it is gone."""
    try:
        about = (folder / DIGESTS).stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _check_top(top: int) -> None:
    if not 1 <= top <= MOST_HITS:
        raise UsageError(f"top must be from 1 to {MOST_HITS:,}, got {top}")
