"""Everything that the page says, one table a language."""

from __future__ import annotations

from dataclasses import dataclass

from accord.serve.schemas import Language


@dataclass(frozen=True)
class Texts:
    """The texts of the page; ``{}`` stands for what is filled in."""

    lang: Language
    name: str
    """The language in itself."""
    comma: str
    title: str
    tagline: str
    skip: str
    """Link to the list for those who use the keyboard."""
    language: str
    no_script: str
    no_answer: str
    """The server cannot be reached."""
    refused: str
    """Before what the server says went wrong."""
    # the key
    key_title: str
    key_why: str
    key: str
    key_use: str
    key_forget: str
    # who asks
    who: str
    user: str
    user_hint: str
    user_exact: str
    history_hint: str
    stored: str
    chosen: str
    drop: str
    clear: str
    find: str
    find_none: str
    # for what
    what: str
    words: str
    words_hint: str
    placement: str
    no_placement: str
    length: str
    auto: str
    show: str
    real: str
    real_hint: str
    real_kind: str
    unwritten: str
    # the list
    listed: str
    for_user: str
    for_nobody: str
    for_history: str
    events: str
    made_by: str
    skipped: str
    empty: str
    choose: str
    place: str
    up: str
    down: str
    same: str
    fresh: str
    moved: str
    left: str
    kept: str
    kept_not: str
    score: str
    bar_hint: str
    parts: str
    part: str
    adds: str
    pinned: str
    without: str
    without_title: str
    without_then: str
    without_place: str
    without_gone: str
    without_none: str
    # counters
    live: str
    requests: str
    received: str
    items: str
    waiting: str
    left_out: str
    nothing: str
    last_change: str
    change_item: str
    change_delete: str
    change_erase: str
    # the model
    model: str
    version: str
    created: str
    learned_from: str
    counts: str
    fusion: str
    fused: str
    best_single: str
    popularity: str
    quality: str
    quality_hint: str
    source: str
    reads: str
    weight_known: str
    weight_new: str
    dropped: str
    starting: str
    admin: str
    api: str


EN = Texts(
    lang="en",
    name="English",
    comma=", ",
    title="Accord: playground",
    tagline="Choose a person, choose items, and see what would be recommended, and why.",
    skip="To the list",
    language="Language",
    no_script="This page needs JavaScript. The API works without it; see /openapi.json.",
    no_answer="The server does not answer.",
    refused="That did not work.",
    key_title="A key, please",
    key_why="This server answers to those who hold an API key with the scope read. The key stays in a cookie for this "
    "page alone, until the browser is closed.",
    key="API key",
    key_use="Use this key",
    key_forget="Forget the key",
    who="Who",
    user="Person",
    user_hint="Type the start of an id, or leave it empty to invent somebody.",
    user_exact="Type a whole id, or leave it empty to invent somebody.",
    history_hint="Choose items from the list, or find them here.",
    stored="Done before, newest last",
    chosen="Chosen here",
    drop="Take back “{}”",
    clear="Start over",
    find="Find an item by its title",
    find_none="No title has these words.",
    what="What",
    words="In words",
    words_hint="a space adventure for all",
    placement="Placement",
    no_placement="none",
    length="Places",
    auto="auto",
    show="Recommend",
    real="Count choices as real events",
    real_hint="They are written to the store as done by this person, and lists are kept as shown.",
    real_kind="Kind of event",
    unwritten="What is chosen here is not written anywhere: an invented history travels with each request.",
    listed="The list",
    for_user="For {}",
    for_nobody="For somebody of whom nothing is known",
    for_history="For somebody invented",
    events="events before: {}",
    made_by="model {}",
    skipped="Left out this time: {}.",
    empty="Nothing may be shown. Loosen the words, or choose another placement.",
    choose="Choose",
    place="Place {}",
    up="up {}",
    down="down {}",
    same="same place",
    fresh="new",
    moved="Items: {}. New: {}, up: {}, down: {}.",
    left="No longer in the list: {}",
    kept="Written: {}.",
    kept_not="Nothing was written: name a person first.",
    score="Score",
    bar_hint="What each source adds: {}",
    parts="Numbers",
    part="Source",
    adds="Adds",
    pinned="Pinned: {}",
    without="What if?",
    without_title="Without",
    without_then="it would be",
    without_place="number {}",
    without_gone="not among the first 100",
    without_none="No single choice carries it.",
    live="Live",
    requests="API requests",
    received="Events received",
    items="Items",
    waiting="{} waiting",
    left_out="Sources left out",
    nothing="none",
    last_change="Last change",
    change_item="posted {}",
    change_delete="deleted {}",
    change_erase="a person was erased",
    model="The model",
    version="Version",
    created="Made",
    learned_from="Learned from",
    counts="{} users, {} items, {} events",
    fusion="Fusion",
    fused="all sources together",
    best_single="the best source alone ({})",
    popularity="popularity alone",
    quality="NDCG@10, held back",
    quality_hint="On validation users, so a little too good; accord evaluate tells how it does in a test.",
    source="Source",
    reads="Looks at",
    weight_known="Weight, known items",
    weight_new="Weight, new items",
    dropped="Learned, and left out for it did not help: {}.",
    starting="There is no trained model yet: popularity and content of what the store has.",
    admin="The card is shown to keys with the scope admin.",
    api="API",
)
ZH = Texts(
    lang="zh",
    name="中文",
    comma="、",
    title="Accord：试用台",
    tagline="选一位用户，点几件物品，看看会推荐什么，以及为什么。",
    skip="跳到列表",
    language="语言",
    no_script="本页需要 JavaScript。接口不需要，见 /openapi.json。",
    no_answer="服务器没有回应。",
    refused="没有成功。",
    key_title="请输入密钥",
    key_why="本服务器只回应持有 read 权限密钥的人。密钥保存在只供本页使用的 Cookie 中，关闭浏览器后失效。",
    key="API 密钥",
    key_use="使用此密钥",
    key_forget="忘记密钥",
    who="谁",
    user="用户",
    user_hint="输入编号的开头；留空则虚构一位。",
    user_exact="输入完整编号；留空则虚构一位。",
    history_hint="在列表中点选物品，或在这里查找。",
    stored="以往的事件，最新的在后",
    chosen="在此选择的",
    drop="撤回“{}”",
    clear="重新开始",
    find="按标题查找物品",
    find_none="没有标题含有这些字。",
    what="什么",
    words="用文字描述",
    words_hint="适合全家的太空冒险",
    placement="位置",
    no_placement="无",
    length="条数",
    auto="自动",
    show="推荐",
    real="把选择记为真实事件",
    real_hint="它们会作为此人的行为写入存储，列表也会记为已展示。",
    real_kind="事件种类",
    unwritten="在此选择的内容不会写入任何地方：虚构的历史随每次请求一同发送。",
    listed="列表",
    for_user="给 {}",
    for_nobody="给一位毫无记录的人",
    for_history="给一位虚构的人",
    events="以往事件：{}",
    made_by="模型 {}",
    skipped="这次略过：{}。",
    empty="没有可展示的物品。请放宽描述，或换一个位置。",
    choose="选择",
    place="第 {} 位",
    up="上升 {}",
    down="下降 {}",
    same="位置不变",
    fresh="新",
    moved="共 {} 件。新进 {}，上升 {}，下降 {}。",
    left="不再在列表中：{}",
    kept="已写入：{}。",
    kept_not="未写入：请先填写用户。",
    score="分数",
    bar_hint="各来源的贡献：{}",
    parts="数值",
    part="来源",
    adds="贡献",
    pinned="置顶：{}",
    without="如果没有？",
    without_title="如果没有",
    without_then="它会排在",
    without_place="第 {} 位",
    without_gone="不在前 100 位",
    without_none="没有哪一次选择单独支撑它。",
    live="实时",
    requests="接口请求",
    received="收到的事件",
    items="物品",
    waiting="{} 件等待中",
    left_out="略过的来源",
    nothing="无",
    last_change="最近变更",
    change_item="发布 {}",
    change_delete="删除 {}",
    change_erase="一位用户被抹除",
    model="模型",
    version="版本",
    created="生成于",
    learned_from="学习数据",
    counts="{} 位用户，{} 件物品，{} 个事件",
    fusion="融合",
    fused="所有来源一起",
    best_single="最好的单个来源（{}）",
    popularity="仅热度",
    quality="NDCG@10（留出数据）",
    quality_hint="验证用户上的数值，略偏高；测试结果请用 accord evaluate。",
    source="来源",
    reads="依据",
    weight_known="权重：已知物品",
    weight_new="权重：新物品",
    dropped="学过但没有帮助而去掉的：{}。",
    starting="还没有训练好的模型：按存储中的热度与内容推荐。",
    admin="模型卡只对具有 admin 权限的密钥显示。",
    api="接口",
)
LANGUAGES: dict[str, Texts] = {texts.lang: texts for texts in (EN, ZH)}
