"""A planted bilingual shop: Chinese and English titles, topics that are known, and users whose tastes are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from accord.core.arrays import Bools, Ints, Matrix
from accord.core.dataset import Dataset
from accord.testing.planted import daily_events

Words = tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """What one topic's titles are made of, in both languages; word ``i`` of one means word ``i`` of the other."""

    name: str
    english: Words
    chinese: Words
    english_for: Words
    chinese_for: Words
    price: float
    """The middle price."""


TOPICS = (
    Topic(
        "beauty",
        ("lipstick", "nail polish", "face cream", "shampoo", "perfume", "mascara"),
        ("口红", "指甲油", "面霜", "洗发水", "香水", "睫毛膏"),
        ("for dry skin", "for sensitive skin", "long lasting makeup"),
        ("适合干性皮肤", "适合敏感肌肤", "持久彩妆"),
        15.0,
    ),
    Topic(
        "computers",
        ("wireless keyboard", "computer mouse", "laptop", "computer monitor", "USB cable", "printer"),
        ("无线键盘", "电脑鼠标", "笔记本电脑", "电脑显示器", "USB数据线", "打印机"),
        ("for the office", "for gaming", "with fast connection"),
        ("办公用", "游戏专用", "高速连接"),
        60.0,
    ),
    Topic(
        "kitchen",
        ("frying pan", "kitchen knife", "rice cooker", "cutting board", "soup pot", "tea kettle"),
        ("煎锅", "菜刀", "电饭煲", "砧板", "汤锅", "烧水壶"),
        ("for cooking", "stainless steel", "for frying and baking"),
        ("烹饪用", "不锈钢", "煎炸烘焙"),
        30.0,
    ),
    Topic(
        "pets",
        ("dog food", "cat litter", "dog leash", "cat toy", "pet bed", "puppy snacks"),
        ("狗粮", "猫砂", "狗牵引绳", "猫玩具", "宠物窝", "幼犬零食"),
        ("for small dogs", "for kittens", "for cats and dogs"),
        ("小型犬适用", "幼猫适用", "猫狗通用"),
        20.0,
    ),
    Topic(
        "camping",
        ("camping tent", "sleeping bag", "hiking backpack", "flashlight", "hiking boots", "folding camp chair"),
        ("露营帐篷", "睡袋", "登山背包", "手电筒", "登山鞋", "露营折叠椅"),
        ("for outdoor hiking", "for mountain climbing", "waterproof outdoor"),
        ("户外徒步", "登山野营", "户外防水"),
        70.0,
    ),
    Topic(
        "babies",
        ("baby diapers", "baby bottle", "baby stroller", "infant formula", "baby clothes", "baby wipes"),
        ("婴儿纸尿裤", "婴儿奶瓶", "婴儿推车", "婴儿奶粉", "婴儿衣服", "婴儿湿巾"),
        ("for newborns", "for infants", "for mother and child"),
        ("新生儿", "宝宝专用", "母婴用品"),
        25.0,
    ),
    Topic(
        "music",
        ("acoustic guitar", "electric piano", "violin", "drum set", "flute", "guitar strings"),
        ("木吉他", "电钢琴", "小提琴", "架子鼓", "长笛", "吉他琴弦"),
        ("for music lessons", "for concert performance", "musical instrument"),
        ("音乐课练习", "音乐会演奏", "乐器"),
        120.0,
    ),
    Topic(
        "garden",
        ("flower seeds", "garden hose", "lawn mower", "flower pot", "plant fertilizer", "watering can"),
        ("花种子", "花园水管", "割草机", "花盆", "植物肥料", "浇水壶"),
        ("for growing flowers", "for garden plants", "for lawn and garden"),
        ("种花", "园艺植物", "庭院草坪"),
        18.0,
    ),
)
BRANDS = ("Avero", "Bolano", "Cirka", "Dunveo", "Elbrix", "Fonsa", "Gavilo", "Hestia")
"""Of any topic and either language: they tell nothing."""
ENGLISH_NOISE = ("new", "hot sale", "2 pack", "free shipping", "gift box", "red", "blue", "large", "upgraded")
CHINESE_NOISE = ("新款", "热卖", "两件装", "包邮", "礼盒装", "红色", "蓝色", "大号", "升级版")
TONGUES = ("zh", "en", "both")


@dataclass(frozen=True)
class Bilingual:
    """The shop, and the truth about it."""

    data: Dataset
    """Items with ``title``, ``brand`` and ``price``; events with clock times; nothing is encoded."""
    topics: Ints
    """``int32[n_items]``: the topic of each item, a place in ``TOPICS``."""
    chinese: Bools
    """``bool[n_items]``: whether the title is Chinese; else it is English."""
    tastes: Ints
    """``int32[n_users, 2]``: each user's first and second topic."""
    tongues: Ints
    """``int32[n_users]``: which titles a user reads, a place in ``TONGUES``."""
    cold: Ints
    """Item numbers that no event touches, of every topic and language."""

    def among(self, topic: int, chinese: bool) -> Ints:
        """Item numbers of one topic in one language."""
        return np.flatnonzero((self.topics == topic) & (self.chinese == chinese)).astype(np.int32)

    def crossing(self, vectors: Matrix, k: int = 10) -> float:
        """Share of an item's ``k`` nearest items of the other language that are of its topic; an eighth by chance."""
        rows = vectors.toarray() if isinstance(vectors, csr_array) else vectors
        likeness = np.where(self.chinese[:, None] == self.chinese, -np.inf, rows @ rows.T)
        near = np.argsort(-likeness, axis=1)[:, :k]
        return float((self.topics[near] == self.topics[:, None]).mean())


def bilingual(users: int = 300, items: int = 25, cold: int = 3, seed: int = 0) -> Bilingual:
    """Eight topics of ``items`` Chinese and ``items`` English titles each, the last ``cold`` of them without events.

    A user reads Chinese, English or both, and takes 6 to 14 different items of what can be read: about four of five
    from the first topic, most others from the second, a few from anywhere. Item numbers say nothing.
    """
    rng = np.random.default_rng(seed)
    n = 2 * items * len(TOPICS)
    order = rng.permutation(n)
    topics = (order // (2 * items)).astype(np.int32)
    chinese = order % 2 == 0
    absent = order % (2 * items) >= 2 * (items - cold)
    tongues = rng.permutation(np.arange(users) % len(TONGUES)).astype(np.int32)
    tastes = np.argsort(rng.random((users, len(TOPICS))), axis=1)[:, :2].astype(np.int32)
    readable = np.array([[True, False, True], [False, True, True]])  # Chinese and English titles by tongue
    taken = [
        _taken(np.flatnonzero(~absent & readable[np.where(chinese, 0, 1), tongue]), topics, taste, rng)
        for tongue, taste in zip(tongues, tastes, strict=True)
    ]
    table = _items(topics, chinese, rng)
    people = pa.table({"user_id": [f"u{number}" for number in range(users)]})
    data = Dataset(daily_events(taken, rng, weights=(1.0,)), table, people, order="time")
    return Bilingual(data, topics, chinese, tastes, tongues, np.flatnonzero(absent).astype(np.int32))


def _taken(offered: np.ndarray, topics: Ints, taste: Ints, rng: np.random.Generator) -> list[int]:
    """Different items that one user takes of those offered."""
    liking = np.full(len(TOPICS), 0.05 / len(TOPICS))
    liking[taste] += (0.8, 0.15)
    chance = liking[topics[offered]]
    return rng.choice(offered, int(rng.integers(6, 15)), replace=False, p=chance / chance.sum()).tolist()


def _items(topics: Ints, chinese: Bools, rng: np.random.Generator) -> pa.Table:
    brands = [BRANDS[place] for place in rng.integers(len(BRANDS), size=len(topics))]
    made = zip(topics, chinese, brands, strict=True)
    titles = [_title(TOPICS[topic], bool(is_chinese), brand, rng) for topic, is_chinese, brand in made]
    middle = np.array([topic.price for topic in TOPICS])[topics]
    return pa.table(
        {
            "item_id": [f"i{number}" for number in range(len(topics))],
            "title": titles,
            "brand": brands,
            "price": np.round(middle * rng.lognormal(0, 0.5, len(topics)), 2),
        }
    )


def _title(topic: Topic, chinese: bool, brand: str, rng: np.random.Generator) -> str:
    """Brand, noise, thing, use; no word but the brand is common to both languages."""
    things, uses = (topic.chinese, topic.chinese_for) if chinese else (topic.english, topic.english_for)
    noise = CHINESE_NOISE if chinese else ENGLISH_NOISE
    words = [str(rng.choice(choices)) for choices in (noise, things, uses)]
    return f"{brand} {''.join(words)}" if chinese else f"{brand} {' '.join(words)}"
