"""Records: what a dataclass promises holds, whatever is made only when it is needed."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pytest

from resilience._record import record

T = TypeVar("T")


@record
class Parcel:
    """What the tests send around."""

    to: str
    weight: float = 1.0
    stamps: list[int] = field(default_factory=list[int])
    secret: str = field(default="hush", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The same fields, as the standard library's record."""

    to: str
    weight: float = 1.0
    stamps: list[int] = field(default_factory=list[int])
    secret: str = field(default="hush", repr=False, compare=False)


@record
class Express(Parcel):
    """One that has a field more."""

    by: str

    def __post_init__(self) -> None:
        """Refuse what is nowhere."""
        if not self.by:
            msg = "by whom?"
            raise ValueError(msg)


@record(kw_only=False)
class Point(Generic[T]):
    """One whose fields have places."""

    x: T
    y: int = 0


@record
class Nothing:
    """One without a field."""


class Marked(Parcel):
    """A plain class on top of a record, with a place for more."""


class Empty(Nothing):
    """The same on top of a record without a field."""


def test_a_record_looks_like_a_dataclass():
    """Its fields, its text and its signature are those of a dataclass."""
    ours, theirs = Parcel(to="Rome", secret="x"), Twin(to="Rome", secret="x")
    names = [each.name for each in dataclasses.fields(Twin)]

    assert names == [each.name for each in dataclasses.fields(Parcel)]
    assert repr(theirs) == repr(ours).replace("Parcel", "Twin")
    assert str(inspect.signature(Twin)) == str(inspect.signature(Parcel))
    assert dataclasses.asdict(theirs) == dataclasses.asdict(ours)
    assert "Parcel.__init__" == Parcel.__init__.__qualname__


def test_records_are_equal_by_their_class_and_values():
    """Fields that do not compare make no difference; a record of another class is another one."""
    twin: Any = Twin(to="Rome")

    assert Parcel(to="Rome") == Parcel(to="Rome", secret="other")
    assert Parcel(to="Rome") != Parcel(to="Oslo")
    assert Parcel(to="Rome") != twin
    assert Nothing() == Nothing()
    assert hash(Point("a", 1)) == hash(Point("a", 1))
    assert {Point("a", 1): 5}[Point("a", 1)] == 5


def test_a_record_with_a_list_has_no_hash():
    """What holds something that can change is no key."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Parcel(to="Rome"))


def test_a_record_is_frozen():
    """No field can be set or deleted, and nothing can be added."""
    parcel: Any = Parcel(to="Rome")
    with pytest.raises(dataclasses.FrozenInstanceError, match="'to'"):
        parcel.to = "Oslo"
    with pytest.raises(dataclasses.FrozenInstanceError, match="'to'"):
        del parcel.to
    with pytest.raises(dataclasses.FrozenInstanceError, match="'other'"):
        parcel.other = 1

    assert "Rome" == parcel.to


def test_each_record_has_its_own_defaults():
    """What a factory makes is made anew for each record, unless it is given."""
    one, other, given = Parcel(to="a"), Parcel(to="b"), Parcel(to="c", stamps=[7])
    one.stamps.append(1)

    assert ([1], [], [7]) == (one.stamps, other.stamps, given.stamps)


@pytest.mark.parametrize("first", ["base", "heir"])
def test_an_heir_is_made_by_its_own_fields(first: str):
    """Base and heir each take their own fields, whichever was made first."""

    @record
    class Base:
        """The base."""

        a: int

    @record
    class Heir(Base):
        """The heir."""

        b: int

    if first == "base":
        Base(a=1)
    heir = Heir(a=1, b=2)

    assert (1, 2) == (heir.a, heir.b)
    assert 1 == Base(a=1).a
    with pytest.raises(TypeError, match="unexpected keyword argument 'b'"):
        Base(a=1, b=2)  # type: ignore[call-arg]


def test_what_follows_the_fields_is_done():
    """`__post_init__` is called, and what it raises comes through."""
    with pytest.raises(ValueError, match="by whom"):
        Express(to="Rome", by="")

    assert "train" == Express(to="Rome", by="train").by


@pytest.mark.parametrize("arguments", [{}, {"to": "a", "too": 1}])
def test_wrong_arguments_are_a_type_error(arguments: dict[str, Any]):
    """A field that is missing and one that is unknown are named, with the class."""
    with pytest.raises(TypeError, match=r"Parcel\.__init__\(\).*'to"):
        Parcel(**arguments)


def test_fields_are_given_by_name_unless_they_have_places():
    """`kw_only=False` lets them be given by place, and matched by it."""
    wrong: Any = Parcel
    with pytest.raises(TypeError, match="positional"):
        wrong("Rome")
    match Point("a", 2):
        case Point(x, y):
            found = x, y

    assert ("a", 2) == found


@pytest.mark.parametrize("value", [Parcel(to="a", stamps=[1]), Express(to="a", by="b"), Nothing()])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_a_record_can_be_copied(value: Any, again: Any):
    """Copies and pickles are equal, and frozen as well."""
    found = again(value)

    assert value == found
    assert type(value) is type(found)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.to = "b"


def test_a_plain_class_on_top_of_a_record_stays_one():
    """It is made, shown, compared and copied like its base."""
    marked = Marked(to="a")

    assert "Marked(to='a', weight=1.0, stamps=[])" == repr(marked)
    assert marked == copy.copy(marked)
    assert marked != Parcel(to="a")


@pytest.mark.parametrize("marked", [Marked(to="a"), Empty()])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_what_a_plain_class_has_beside_the_fields_is_copied(marked: Any, again: Any):
    """Copies and pickles of a plain class on top of a record have what it has set itself."""
    object.__setattr__(marked, "mark", 7)

    assert 7 == again(marked).mark
    assert marked == again(marked)


def test_a_record_in_itself_has_an_end():
    """The text of a record that holds itself ends."""
    parcel: Any = Parcel(to="a")
    parcel.stamps.append(parcel)

    assert "Parcel(to='a', weight=1.0, stamps=[...])" == repr(parcel)


def test_replacing_checks_anew():
    """`dataclasses.replace` makes another record, as if by hand."""
    express = Express(to="a", by="b")

    assert Express(to="c", by="b") == dataclasses.replace(express, to="c")
    with pytest.raises(ValueError, match="by whom"):
        dataclasses.replace(express, by="")


def test_methods_of_its_own_stay():
    """What a class says itself is not replaced."""

    @record
    class Loud:
        """One with a text of its own."""

        name: str

        def __repr__(self) -> str:
            return self.name.upper()

    assert "A" == repr(Loud(name="a"))
    assert Loud(name="a") == Loud(name="a")


def test_nothing_is_compiled_before_the_first_record():
    """A class that is never used costs no `__init__`."""

    @record
    class Unused:
        """Never made."""

        a: int

    before = vars(Unused)["__init__"]
    Unused(a=1)

    assert not inspect.isfunction(before)
    assert inspect.isfunction(vars(Unused)["__init__"])
