from pathlib import Path

import pytest

import shop
from accord.core import catalog
from accord.core.errors import InputError
from accord.fuse.weighted import Weighted
from accord.pipeline.spec import PipelineSpec, preset, preset_descriptions, preset_names, read_spec, spec_of

ONE = '[sources.popular]\nkind = "popular"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[sources.x]\nkind = "magic"',
            r"mine\.toml: sources\.x: no such kind among the sources\. Received: 'magic'.*ease",
        ),
        ('[encoders.x]\nkind = "magic"\n' + ONE, r"mine\.toml: encoders\.x: no such kind"),
        (ONE + '[[fusers]]\nkind = "magic"', r"mine\.toml: fusers\[0\]: no such kind"),
        ("[sources.x]\nk = 3", r"mine\.toml: sources\.x: the table lacks its kind.*popular"),
        ('[sources.x]\nkind = "ease"\nreg = -1.0', r"mine\.toml: sources\.x\.reg: .*greater than 0.*Received: -1"),
        ('[sources.x]\nkind = "ease"\nrge = 1.0', r"mine\.toml: sources\.x\.rge: .*Known keys: .*reg"),
        (ONE + '[[fusers]]\nkind = "rank"\nmethod = "luck"', r"mine\.toml: fusers\[0\]\.method"),
        ('[encoders.x]\nkind = "tfidf"\nmin_df = 0\n' + ONE, r"mine\.toml: encoders\.x\.min_df"),
        ('[sources.score]\nkind = "popular"', r"mine\.toml\.sources: .*reserved: score"),
        ('[sources.fused]\nkind = "popular"', r"reserved: fused"),
        ('[sources."../../evil"]\nkind = "popular"', r"mine\.toml\.sources: .*letters, digits and _.*evil"),
        ('[encoders."a/b"]\nkind = "tfidf"\n' + ONE, r"mine\.toml\.encoders: "),
        ('[sources."Über"]\nkind = "popular"', "lower-case"),
        ('[sources."a\\n"]\nkind = "popular"', "lower-case"),
        ("name = 3\n" + ONE, r"mine\.toml\.name"),
        ("deep = 3\n" + ONE, r"mine\.toml\.deep: .*Known keys: .*depth"),
        ("depth = 0\n" + ONE, r"mine\.toml\.depth"),
        ("", r"mine\.toml\.sources: "),
        ("[sources]", r"mine\.toml\.sources: "),
        ("sources = 1 2", r"mine\.toml: not TOML .*line 1"),
        (ONE + '[search.values]\n"other.tau" = [1.0]', r"search\.values: .*'other\.tau'"),
        (ONE + '[search.values]\n"popular.kind" = ["ease"]', r"search\.values: .*'popular\.kind'"),
        (ONE + '[search.values]\n"popular.tau" = [1.0]', r"search\.values\.popular\.tau\.tau: .*half_life"),
        (ONE + '[search.values]\n"popular.half_life" = [-1.0]', r"search\.values\.popular\.half_life"),
    ],
)
def test_mistakes_name_their_place(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"(?s)" + message):
        spec_of(text, "mine.toml")


def test_files_that_are_none_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_spec(tmp_path / "none.toml")
    with pytest.raises(InputError, match="not a text file"):
        read_spec(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        read_spec(tmp_path / "bytes.toml")


def test_toml_keeps_everything(tmp_path: Path) -> None:
    spec = shop.small()
    path = tmp_path / "again.toml"
    path.write_text(spec.to_toml(), encoding="utf-8")
    assert read_spec(path) == spec
    assert read_spec(path).digest == spec.digest


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_whole(name: str) -> None:
    spec = preset(name)
    assert spec.name == name
    assert spec.description
    assert spec_of(spec.to_toml(), name) == spec


def test_a_file_goes_on_from_a_preset() -> None:
    text = 'extends = "fast"\n[sources.popular]\nhalf_life = 3.0\n[sources.mine]\nkind = "popular"\n'
    spec, base = spec_of(text, "mine"), preset("fast")
    assert spec.sources == base.sources | {
        "popular": base.sources["popular"] | {"half_life": 3.0},
        "mine": {"kind": "popular"},
    }
    assert spec.encoders == base.encoders
    assert spec.fusers == base.fusers
    assert spec_of(spec.to_toml(), "again") == spec


def test_what_a_preset_has_can_be_left_out_or_replaced() -> None:
    text = 'extends = "fast"\nfusers = [{ kind = "rank" }]\n[sources]\nmarkov = false\n'
    spec, base = spec_of(text, "mine"), preset("fast")
    assert spec.sources == {name: values for name, values in base.sources.items() if name != "markov"}
    assert spec.fusers == [{"kind": "rank"}]
    assert {key for key in base.search.values if key not in spec.search.values} == {"markov.tau"}
    assert spec_of(text.replace("[sources]", "search = false\n[sources]"), "mine").search.values == {}


def test_only_a_preset_can_be_gone_on_from() -> None:
    with pytest.raises(InputError, match=r"mine: extends.*'fats'"):
        spec_of('extends = "fats"', "mine")


def test_presets_are_described_without_being_built() -> None:
    assert preset_descriptions() == {name: preset(name).description for name in preset_names()}


def test_unknown_presets_name_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'fats'.*balanced, best, fast"):
        preset("fats")
    with pytest.raises(InputError):
        preset("../presets/fast")


def test_every_registered_class_knows_its_name() -> None:
    for role in ("encoders", "sources", "fusers"):
        for name in catalog.names(role):
            assert catalog.name_of(role, catalog.find(role, name)) == name


def test_a_class_that_is_not_registered_has_no_name() -> None:
    class Mine(Weighted):
        pass

    with pytest.raises(InputError, match="not registered"):
        catalog.name_of("fusers", Mine)


def test_specifications_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        shop.small().depth = 3  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(shop.small(), PipelineSpec)


def test_a_file_goes_on_from_a_preset_that_goes_on_from_another():
    """What is searched for a source that is left out is left out too."""
    spec = spec_of('extends = "best"\n[sources]\nsequential = false\n', "mine")
    assert {*preset("best").sources} - {*spec.sources} == {"sequential"}
    assert {*preset("balanced").sources} <= {*spec.sources}
    assert not any(key.startswith("sequential.") for key in spec.search.values)
    assert any(key.startswith("ease.") for key in spec.search.values)
