"""Files of other systems, as they are published: what comes out, and which rows are refused and why."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from accord.core.errors import DataError, InputError
from accord.core.run import Run
from accord.data.formats import FORMATS
from accord.data.importer import Imported, import_data
from accord.data.movielens import GENRES
from accord.data.settings import ImportSettings


def imported(source: str, *paths: Path, **more: Any) -> Imported:
    return import_data(ImportSettings(format=source, events=tuple(map(str, paths)), **more), Run(cache=None))


def events(result: Imported) -> list[tuple[str, str]]:
    """``(user, item)`` of every event, in the order of the log."""
    data = result.dataset
    return [(data.user_ids[u], data.item_ids[i]) for u, i in zip(data.event_users, data.event_items, strict=True)]


def refused(result: Imported) -> list[tuple[str, int, str]]:
    return [(Path(row["source"]).name, row["row"], row["reason"]) for row in result.rejects.to_pylist()]


def items(result: Imported) -> dict[str, dict[str, Any]]:
    return {row["item_id"]: row for row in result.dataset.items.to_pylist()}


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


RECBOLE = {
    "tiny.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "u1\ti1\t4.0\t1000\nu1\ti2\t2\t1.1e3\n\ti2\t5\t1200\nu2\ti1\tbest\t1300\nu2\ti1\t5\t1400\textra\nu2\ti3\t\t1500\n",
    "tiny.item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tvector:float_seq\n"
    'i1\t"Weird Al" and 12" singles\t1995\tComedy Music\t0.1 0.2\ni2\tHeat\t1995\tCrime\t0.3 0.4\n',
    "tiny.user": "user_id:token\tage:token\tgender:token\nu1\t24\tM\nu2\t53\tF\n",
    "tiny.link": "item_id:token\tentity_id:token\ni1\tm.01\n",
    "tiny.kg": "head_id:token\trelation_id:token\ttail_id:token\nm.01\tfilm.director\tm.02\n",
}


@pytest.mark.parametrize("given", ["tiny", "tiny/tiny", "tiny/tiny.inter"])
def test_recbole_folder_or_prefix(tmp_path: Path, given: str) -> None:
    written(tmp_path / "tiny", RECBOLE)
    result = imported("recbole", tmp_path / given)
    assert events(result) == [("u1", "i1"), ("u1", "i2"), ("u2", "i3")]
    assert result.dataset.event_times.tolist() == [1000, 1100, 1500]
    assert refused(result) == [
        ("tiny.inter", 6, "the row has more fields than there are columns"),
        ("tiny.inter", 4, "user_id is missing"),
        ("tiny.inter", 5, "value is not a number"),
    ]
    assert items(result)["i1"]["title"] == '"Weird Al" and 12" singles'
    assert items(result)["i1"]["class"] == ["Comedy", "Music"]
    assert items(result)["i2"]["vector"] == ["0.3", "0.4"]
    assert result.dataset.users["gender"].to_pylist() == ["M", "F"]
    links = {name: table.to_pylist() for name, table in result.dataset.links.items()}
    assert links["link"] == [{"head": "i1", "relation": "link", "tail": "m.01"}]
    assert links["kg"] == [{"head": "m.01", "relation": "film.director", "tail": "m.02"}]


def test_recbole_lists_with_commas_keep_their_spaces(tmp_path: Path) -> None:
    files = {
        "anime.inter": "user_id:token\titem_id:token\n1\t20\n1\t24\n",
        "anime.item": "item_id:token\tname:token_seq\tgenre:token_seq\n"
        "20\tKimi no Na wa.\tDrama, Slice of Life\n24\tX\tWar\n",
    }
    found = items(imported("recbole", written(tmp_path / "anime", files)))
    assert found["20"]["genre"] == ["Drama", "Slice of Life"]
    assert found["20"]["title"] == "Kimi no Na wa."


def test_recbole_interactions_split_beforehand_are_read_in_order(tmp_path: Path) -> None:
    head = "user_id:token\titem_id:token\n"
    files = {"x.test.inter": f"{head}u\tc\n", "x.train.inter": f"{head}u\ta\n", "x.valid.inter": f"{head}u\tb\n"}
    assert events(imported("recbole", written(tmp_path, files))) == [("u", "a"), ("u", "b"), ("u", "c")]


def test_recbole_wants_one_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.inter file"):
        imported("recbole", tmp_path)
    written(tmp_path, {"a.inter": "user_id:token\titem_id:token\nu\ti\n", "b.inter": "x:token\n"})
    with pytest.raises(DataError, match=r"several data sets.*'a', 'b'"):
        imported("recbole", tmp_path)
    assert len(events(imported("recbole", tmp_path / "a"))) == 1


GORSE = {
    "users.csv": 'user_id,labels\r\n0,"{""gender"":""male"",""job"":{""title"":""lawyer""}}"\r\n1,null\r\n',
    "items.csv": "item_id,is_hidden,categories,time_stamp,labels,description\r\n"
    "2,false,x|y,2020-01-01 01:01:01.000000001 +0000 UTC,"
    '"{""genre"":[""comedy"",""sci-fi""],""vector"":[0.1,0.2]}","o,n,e"\r\n'
    '4,true,,0001-01-01 00:00:00 +0000 UTC,a|b,"t\r\nw\r\no"\r\n',
    "feedback.csv": "feedback_type,user_id,item_id,time_stamp\r\n"
    "click,0,2,2022-01-01 00:00:00 +0000 UTC\r\nshare,1,4,2022-01-02 03:00:00.5 +0200 EET\r\n"
    "read,1,,2022-01-03 00:00:00 +0000 UTC\r\nread,1,2,0001-01-01 00:00:00 +0000 UTC\r\n",
}


@pytest.mark.parametrize("packed", [False, True])
def test_gorse_export(tmp_path: Path, packed: bool) -> None:
    place = written(tmp_path / "export", GORSE)
    if packed:
        place = tmp_path / "export.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in GORSE.items():
                archive.writestr(f"backup/{name}", text)
    result = imported("gorse", place, weights={"share": 3.0})
    assert events(result) == [("0", "2"), ("1", "4")]
    assert result.dataset.event_times.tolist() == [1640995200.0, 1641085200.5]
    assert result.dataset.event_weights.tolist() == [1, 3]
    assert refused(result) == [
        ("feedback.csv", 3, "item_id is missing"),
        ("feedback.csv", 4, "timestamp is missing, or not in the unit of its column"),
    ]
    assert all(str(place) in row["source"] for row in result.rejects.to_pylist())
    found = items(result)
    assert (found["2"]["genre"], found["2"]["categories"]) == (["comedy", "sci-fi"], ["x", "y"])
    assert found["2"]["available_at"] == pytest.approx(1577840461, abs=1e-3)
    assert (found["4"]["available_at"], found["4"]["labels"]) == (None, ["a", "b"])
    assert (found["2"]["is_hidden"], found["4"]["is_hidden"]) == ("false", "true")
    assert found["2"]["description"] == "o,n,e"
    assert "vector" not in found["2"]
    users = result.dataset.users.to_pylist()
    assert (users[0]["gender"], users[0]["job.title"]) == ("male", "lawyer")
    assert users[1]["gender"] is None


def test_gorse_without_times_has_the_order_of_its_rows(tmp_path: Path) -> None:
    lines = ["feedback_type,user_id,item_id,time_stamp", *(f"read,u,{i},0001-01-01 00:00:00 +0000 UTC" for i in "abc")]
    result = imported("gorse", written(tmp_path, {"feedback.csv": "\n".join(lines)}))
    assert result.dataset.order == "row"
    assert [item for _, item in events(result)] == ["a", "b", "c"]


def _flags(*genres: str) -> str:
    return "|".join("1" if genre in genres else "0" for genre in GENRES)


OLDEST = {
    "u.data": "7\t1\t5\t100\n8\t2\t3\t50\n8\t1\tx\t60\n9\t1\t3\t70\tmore\n",
    "u.item": (
        f"1|Toy Story (1995)|01-Jan-1995||http://x|{_flags('Animation', 'Comedy')}\n2|unknown||||{_flags('unknown')}\n"
        f"4|Les Mis\xe9rables, Seven (Se7en) (1998)|||http://x|{_flags()}\n"
    ).encode("latin-1"),
    "u.user": "7|24|M|writer|01234\n8|53|F|other|94043\n",
}
DAT = {
    "ratings.dat": "7::1::5::100\n8::2::3::50\nbroken\n",
    "movies.dat": "1::Toy Story (1995)::Animation|Comedy\n2::Amours: (Am\xe9lie) (2001)::Romance\n".encode("latin-1"),
    "users.dat": "7::M::25::12::01234\n8::F::56::99::94043\n",
}
CSV = {
    "ratings.csv": "userId,movieId,rating,timestamp\n7,1,4.5,100\n8,2,3.0,50\n",
    "movies.csv": "movieId,title,genres\n1,Toy Story (1995),Animation|Comedy\n"
    '2,"Heat, The (1995) ",(no genres listed)\n',
    "tags.csv": "userId,movieId,tag,timestamp\n7,1,pixar,900\n",
}


def zipped(folder: Path, files: dict[str, str | bytes], inner: str) -> Path:
    path = folder / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{inner}/{name}", text)
        archive.writestr("../outside.csv", "never unpacked")
    return path


def test_movielens_100k(tmp_path: Path) -> None:
    for place in (written(tmp_path / "ml-100k", OLDEST), zipped(tmp_path, OLDEST, "ml-100k")):
        result = imported("movielens", place)
        assert events(result) == [("8", "2"), ("7", "1")]
        assert refused(result) == [
            ("u.data", 4, "the row has more fields than there are columns"),
            ("u.data", 3, "value is not a number"),
        ]
        found = items(result)
        assert (found["1"]["title"], found["1"]["year"]) == ("Toy Story", 1995)
        assert found["1"]["genres"] == ["Animation", "Comedy"]
        assert (found["2"]["title"], found["2"]["genres"]) == (None, None)
        assert (found["4"]["title"], found["4"]["year"]) == ("Les Mis\xe9rables, Seven (Se7en)", 1998)
        assert result.dataset.users["zip_code"].to_pylist() == ["01234", "94043"]
    assert not (tmp_path / "outside.csv").exists()


def test_movielens_with_double_colons(tmp_path: Path) -> None:
    result = imported("movielens", zipped(tmp_path, DAT, "ml-1m"))
    assert events(result) == [("8", "2"), ("7", "1")]
    assert refused(result) == [("ratings.dat", 3, "item_id is missing")]
    found = items(result)
    assert (found["2"]["title"], found["2"]["genres"]) == ("Amours: (Am\xe9lie)", ["Romance"])
    assert result.dataset.users["occupation"].to_pylist() == ["programmer", "99"]


def test_movielens_csv(tmp_path: Path) -> None:
    result = imported("movielens", written(tmp_path / "ml-latest", CSV))
    assert events(result) == [("8", "2"), ("7", "1")]
    assert result.dataset.events["value"].to_pylist() == [3.0, 4.5]
    found = items(result)
    assert (found["1"]["genres"], found["2"]["genres"]) == (["Animation", "Comedy"], None)
    assert (found["2"]["title"], found["2"]["year"]) == ("Heat, The", 1995)


def test_movielens_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither u\.data nor ratings\.dat nor ratings\.csv"):
        imported("movielens", written(tmp_path / "empty", {}))
    with pytest.raises(DataError, match="cannot be read"):
        imported("movielens", written(tmp_path, {"no.zip": "text"}) / "no.zip")
    with pytest.raises(DataError, match="no such folder or archive"):
        imported("movielens", tmp_path / "none")


REVIEW = {"reviewerID": "A1", "asin": "B1", "overall": 5.0, "unixReviewTime": 1400000000, "reviewText": "Good."}
META_2014 = [
    r"{'asin': 'B1', 'title': 'O\'Brien\/s \'Balm\'', 'price': 9.5, 'imUrl': 'http://x/b1.jpg', 'brand': 'Acme',"
    " 'categories': [['Beauty', 'Skin Care'], ['Beauty', 'Gifts']], 'salesRank': {'Beauty': 3},"
    " 'related': {'also_bought': ['B2']}}",
    "{'asin': 'B2', 'title': __import__('os').name}",
    "[" * 5000,
    '{"asin": "B3", "title": "Plain JSON"}',
    "{'asin': 'B4', 'description': '" + "x" * 1_000_001 + "'}",
]


def test_amazon_2014(tmp_path: Path) -> None:
    reviews = [json.dumps({**REVIEW, "helpful": [1, 2], "reviewerName": "Ann"}), "{broken", json.dumps({"asin": "B1"})]
    (tmp_path / "reviews.json.gz").write_bytes(gzip.compress("\n".join(reviews).encode()))
    (tmp_path / "meta.json").write_text("\n".join(META_2014), encoding="utf-8")
    result = imported("amazon", tmp_path / "reviews.json.gz", tmp_path / "meta.json")
    assert events(result) == [("A1", "B1")]
    assert result.dataset.events["text"].to_pylist() == ["Good."]
    assert result.dataset.event_times.tolist() == [1400000000]
    assert refused(result) == [
        ("reviews.json.gz", 2, "the line is not JSON"),
        ("meta.json", 2, "the line is neither JSON nor a Python literal"),
        ("meta.json", 3, "the line is neither JSON nor a Python literal"),
        ("meta.json", 5, "the line is longer than 1,000,000 characters"),
        ("reviews.json.gz", 3, "user_id is missing"),
    ]
    found = items(result)
    assert found["B1"]["title"] == r"O'Brien\/s 'Balm'"
    assert found["B1"]["categories"] == ["Beauty", "Skin Care", "Gifts"]
    assert (found["B1"]["price"], found["B1"]["brand"], found["B1"]["image"]) == (9.5, "Acme", "http://x/b1.jpg")
    assert found["B3"]["title"] == "Plain JSON"
    told_later = {"salesRank", "related", "raw_salesRank", "reviewerName", "helpful"}
    assert not told_later & {*result.dataset.items.column_names, *result.dataset.events.column_names}


def test_amazon_2018(tmp_path: Path) -> None:
    style = {"style": {"Size:": " L"}, "verified": True, "vote": "3", "image": ["http://x/r.jpg"]}
    (tmp_path / "Beauty.json").write_text(json.dumps({**REVIEW, **style}), encoding="utf-8")
    product = {
        "asin": "B1",
        "category": ["Beauty", "Tools"],
        "description": ["One.", "", "Two."],
        "feature": ["Soft"],
        "price": "$1,299.00",
        "main_cat": "All Beauty",
        "imageURLHighRes": ["http://x/1.jpg", "http://x/2.jpg"],
        "also_buy": ["B2"],
        "rank": "1 in Beauty",
    }
    (tmp_path / "meta.json").write_text(json.dumps(product), encoding="utf-8")
    found = items(imported("amazon", tmp_path / "meta.json", tmp_path / "Beauty.json"))["B1"]
    assert (found["categories"], found["description"]) == (["Beauty", "Tools"], "One.\nTwo.")
    assert (found["price"], found["image"], found["department"]) == (1299.0, "http://x/1.jpg", "All Beauty")


def test_amazon_2023(tmp_path: Path) -> None:
    review = {
        "rating": 4.0,
        "title": "Nice",
        "text": "Works.",
        "images": [],
        "asin": "B0VARIANT",
        "parent_asin": "B0PARENT",
        "user_id": "AE1",
        "timestamp": 1588687728923,
        "helpful_vote": 0,
        "verified_purchase": True,
    }
    product = {
        "main_category": "All Beauty",
        "title": "Howard Leather Conditioner",
        "average_rating": 4.8,
        "rating_number": 10,
        "features": [],
        "description": ["Keeps leather soft."],
        "price": None,
        "images": [{"thumb": "http://x/t.jpg", "large": "http://x/l.jpg", "hi_res": None}],
        "store": "Howard",
        "categories": [],
        "details": {"Brand": "Howard"},
        "parent_asin": "B0PARENT",
        "bought_together": None,
    }
    (tmp_path / "All_Beauty.jsonl").write_text(json.dumps(review), encoding="utf-8")
    (tmp_path / "meta.jsonl").write_text(json.dumps(product), encoding="utf-8")
    result = imported("amazon", tmp_path / "All_Beauty.jsonl", tmp_path / "meta.jsonl")
    assert events(result) == [("AE1", "B0PARENT")]
    assert result.dataset.event_times.tolist() == [1588687728.923]
    assert result.dataset.events["value"].to_pylist() == [4.0]
    found = items(result)["B0PARENT"]
    assert (found["title"], found["description"]) == ("Howard Leather Conditioner", "Keeps leather soft.")
    assert (found["brand"], found["image"]) == ("Howard", "http://x/t.jpg")
    assert "average_rating" not in found


def test_amazon_wants_reviews_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"asin": "B1"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"files of reviews and at most one of products.*reviewerID"):
        imported("amazon", tmp_path / "meta.json")
    (tmp_path / "noise.json").write_text("noise\n", encoding="utf-8")
    with pytest.raises(DataError, match="no line can be read"):
        imported("amazon", tmp_path / "noise.json")
    with pytest.raises(DataError, match="cannot be read"):
        imported("amazon", tmp_path / "none.json")


def test_own_tables_take_the_place_of_the_formats(tmp_path: Path) -> None:
    written(tmp_path / "tiny", RECBOLE)
    (tmp_path / "mine.csv").write_text("item_id,title\ni1,Mine\n", encoding="utf-8")
    (tmp_path / "friends.csv").write_text("user_id,friend_id\nu1,u2\n", encoding="utf-8")
    mine, friends = str(tmp_path / "mine.csv"), {"friends": str(tmp_path / "friends.csv")}
    result = imported("recbole", tmp_path / "tiny", items=mine, links=friends)
    assert items(result)["i1"]["title"] == "Mine"
    assert set(result.dataset.links) == {"kg", "link", "friends"}


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are: amazon, gorse, movielens, recbole"):
        imported("netflix", tmp_path)
    assert len(FORMATS) == 4
