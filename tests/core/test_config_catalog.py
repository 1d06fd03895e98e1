import pytest

from accord.core import catalog
from accord.core.config import Config, parse
from accord.core.errors import AccordError, ArtefactError, CannotFit, DataError, InputError


class Knobs(Config):
    """A small configuration."""

    k: int = 10
    reg: float = 0.5


def test_a_configuration_is_frozen_and_hashable():
    assert {Knobs(), Knobs(k=10)} == {Knobs()}
    with pytest.raises(ValueError, match="frozen"):
        Knobs().k = 3


def test_the_digest_depends_on_values_alone():
    assert Knobs().digest == Knobs(reg=0.5, k=10).digest
    assert Knobs().digest != Knobs(k=11).digest
    assert Knobs().digest == "2ddf811fc9bfef4d"  # so that a saved hash means the same on every machine


@pytest.mark.parametrize(
    ("values", "place", "received"),
    [({"k": "many"}, "source.knn.k", "'many'"), ({"kk": 3}, "source.knn.kk", "3")],
)
def test_a_wrong_setting_names_place_value_and_what_fits(values, place, received):
    with pytest.raises(InputError) as caught:
        parse(Knobs, values, "source.knn")
    assert (caught.value.place, caught.value.received) == (place, received)
    assert caught.value.remedy == "Known keys: k, reg."


def test_an_error_reads_place_problem_value_remedy():
    error = DataError("no column 'item'.", place="events.csv", value=["user"], remedy="Rename it with --map.")
    assert str(error) == "events.csv: no column 'item'. Received: ['user']. Rename it with --map."
    assert str(InputError("too few")) == "too few."
    assert str(InputError("missing", value=None)) == "missing. Received: None."


def test_a_long_value_is_cut():
    received = InputError("too long", value="x" * 1000).received
    assert received is not None
    assert len(received) == 200
    assert received.endswith("...")


def test_each_error_has_its_code_and_bad_input_is_told_from_a_skipped_part():
    codes = {kind.code for kind in (AccordError, InputError, DataError, ArtefactError, CannotFit)}
    assert len(codes) == 5
    assert issubclass(DataError, InputError)
    assert issubclass(ArtefactError, InputError)
    assert not issubclass(CannotFit, InputError)


def test_the_catalogue_finds_built_ins_by_name():
    assert {"popular", "ease", "item_knn", "content", "bridge"} <= set(catalog.names("sources"))
    assert {"weighted", "rank"} <= set(catalog.names("fusers"))
    assert catalog.names("encoders") == sorted(catalog.names("encoders"))


def test_an_unknown_name_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"no such kind among the fusers\. Received: 'mean'\. There are: .*weighted"):
        catalog.find("fusers", "mean")


class Lost:
    """An entry point whose package is not installed."""

    def load(self):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")


def test_a_missing_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr(catalog, "_registered", {"sources": {"deep": Lost()}}.__getitem__)
    with pytest.raises(InputError, match=r"'deep' needs the package 'torch'\. .*\[all\]"):
        catalog.find("sources", "deep")
