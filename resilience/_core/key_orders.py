"""Entries in the order in which a strategy wants them, so that a choice need not compare them all.

An order holds those that serve one priority and do not rest.
Nothing but a choice moves them: whatever else happens to an entry is noted, and the next choice
puts it in its place. So a call may end in the midst of a choice, in the same thread: the garbage
collector ends those of forgotten streams.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush

from resilience._core.key_entry import Entry

__all__ = ["LoadOrder", "Order", "ShareOrder"]

Allows = Callable[[Entry], bool]


class Order(ABC):
    """What both orders do: keep out who rests, and let in who has rested.

    Args:
        entries: All entries of the ring by name, those that come later as well.
        known: Those that there are, the next one in turn at the head.
        tier: The priority that is to be served.
        takes_any: Whether those that rest serve too.

    Attributes:
        noted: The entries to which something has happened since the last choice.
        is_choosing: Whether a choice is under way, further out in this thread.
        is_whole: Whether no choice was broken off in its midst; if one was, make a new order.
    """

    __slots__ = (
        "_entries",
        "_now",
        "_resting",
        "_takes_any",
        "_tier",
        "is_choosing",
        "is_whole",
        "noted",
    )

    def __init__(
        self, entries: Mapping[str, Entry], known: Iterable[Entry], tier: int, *, takes_any: bool
    ) -> None:
        self.noted: dict[Entry, None] = dict.fromkeys(known)
        self.is_choosing = False
        self.is_whole = True
        self._entries = entries
        self._tier = tier
        self._takes_any = takes_any
        self._now = 0.0
        self._resting: list[tuple[float, int, Entry]] = []  # a heap, by the end of the rest

    def choose(self, now: float, allows: Allows) -> Entry | None:
        """Return the first one that is allowed, or None; never while another choice goes on."""
        self.is_choosing = True
        try:
            self._catch_up(now)
            return self._pick(allows)
        except BaseException:  # Ctrl-C
            self.is_whole = False
            raise
        finally:
            self.is_choosing = False

    def _catch_up(self, now: float) -> None:
        """Put in its place whatever was noted, or has rested by now."""
        noted, resting = self.noted, self._resting
        if now < self._now:  # the clock went back
            noted.update(dict.fromkeys(entry for _, _, entry in resting))
        self._now = now
        while resting and resting[0][0] <= now:
            noted[heappop(resting)[2]] = None
        while noted:
            for entry in tuple(noted):
                del noted[entry]
                self._place(entry, now)

    def _place(self, entry: Entry, now: float) -> None:
        if self._entries.get(entry.name) is not entry or not entry.serves(self._tier):
            self._leave(entry)
        elif entry.rests_for and entry.wait(now) and not self._takes_any:
            self._leave(entry)
            heappush(self._resting, (entry.rests_since + entry.rests_for, entry.position, entry))
        else:
            self._enter(entry)

    @abstractmethod
    def _enter(self, entry: Entry) -> None:
        """Put an entry where it belongs, wherever it has been."""

    @abstractmethod
    def _leave(self, entry: Entry) -> None:
        """Take an entry out, if it is in."""

    @abstractmethod
    def _pick(self, allows: Allows) -> Entry | None:
        """Return the first one that is allowed."""


class LoadOrder(Order):
    """By calls for the weight, that to come included; of equals who has come to it first.

    Entries of one load stand in one line, and a call moves its entry to the end of another: that
    costs the same among ten and among ten thousand.
    """

    __slots__ = ("_levels", "_lines", "_loads")

    def __init__(
        self, entries: Mapping[str, Entry], known: Iterable[Entry], tier: int, *, takes_any: bool
    ) -> None:
        super().__init__(entries, known, tier, takes_any=takes_any)
        self._levels: list[float] = []  # the loads of all lines, sorted
        self._lines: dict[float, OrderedDict[Entry, None]] = {}
        self._loads: dict[Entry, float] = {}

    def _enter(self, entry: Entry) -> None:
        load = (entry.active + 1) / entry.weight
        if self._loads.get(entry) == load:
            self._lines[load].move_to_end(entry)
            return
        self._leave(entry)
        self._loads[entry] = load
        line = self._lines.get(load)
        if line is None:
            line = self._lines[load] = OrderedDict()
            insort(self._levels, load)
        line[entry] = None

    def _leave(self, entry: Entry) -> None:
        load = self._loads.pop(entry, None)
        if load is None:
            return
        line = self._lines[load]
        del line[entry]
        if not line:
            del self._lines[load]
            del self._levels[bisect_left(self._levels, load)]

    def _pick(self, allows: Allows) -> Entry | None:
        """Return the first one with a free permit; where nobody has one, the first of all."""
        first = None
        for load in self._levels:
            for entry in self._lines[load]:
                if allows(entry):
                    if entry.has_permit:
                        return entry
                    first = first or entry
        return first


_Turn = tuple[float, int, Entry]  # when it begins, or ends; of equals the older entry comes first


class ShareOrder(Order):
    """By weight: each has its share of the calls, evenly spread.

    Time goes on by 1 while all entries together are served as often as their weights say. A turn
    takes an entry 1 / weight, and begins when its last one has ended. Of those whose turn has
    begun, the next is the one whose turn ends first: so nobody is ever a whole call ahead of its
    share or behind it. A choice takes O(log n).
    Source: Stoica and Abdel-Wahab, "Earliest Eligible Virtual Deadline First", 1995.
    """

    __slots__ = ("_begun", "_coming", "_time", "_total", "_turns", "_weights")

    def __init__(
        self, entries: Mapping[str, Entry], known: Iterable[Entry], tier: int, *, takes_any: bool
    ) -> None:
        super().__init__(entries, known, tier, takes_any=takes_any)
        self._time = 0.0
        self._weights: dict[Entry, float] = {}
        self._total: float | None = None  # of the weights, once it is asked for
        self._turns: dict[Entry, _Turn] = {}  # those in the heaps that hold
        self._coming: list[_Turn] = []  # a heap, by the beginning
        self._begun: list[_Turn] = []  # a heap, by the end

    def _enter(self, entry: Entry) -> None:
        if self._weights.get(entry) == entry.weight:
            return
        self._weights[entry] = entry.weight
        self._total = None
        self._begin(entry, self._time)

    def _leave(self, entry: Entry) -> None:
        if self._weights.pop(entry, None) is not None:
            self._total = None
            del self._turns[entry]

    def _begin(self, entry: Entry, when: float) -> None:
        turn = self._turns[entry] = (when, entry.position, entry)
        heappush(self._coming, turn)

    def _pick(self, allows: Allows) -> Entry | None:
        passed_over: list[_Turn] = []
        turn = self._next()
        while turn is not None and not allows(turn[2]):
            passed_over.append(turn)
            turn = self._next()
        for each in passed_over:
            heappush(self._begun, each)
        if turn is None:
            return None
        if self._total is None:
            self._total = sum(self._weights.values())
        self._time += 1 / self._total
        end, _, entry = turn
        # Who was kept from serving for long makes up for one turn, and no more.
        self._begin(entry, max(end, self._time - 1 / entry.weight))
        return entry

    def _next(self) -> _Turn | None:
        """Take out the turn that ends first of those that have begun, or begin next."""
        begun, coming, turns = self._begun, self._coming, self._turns
        while begun or coming:
            if not begun:
                self._time = max(self._time, coming[0][0])
            while coming and coming[0][0] <= self._time:
                turn = heappop(coming)
                start, position, entry = turn
                if turns.get(entry) is turn:
                    turns[entry] = turn = (start + 1 / entry.weight, position, entry)
                    heappush(begun, turn)
            while begun:
                turn = heappop(begun)
                if turns.get(turn[2]) is turn:
                    return turn
        return None
