"""How one vital's forecast was made, as the report says it: words, a small picture, a table."""

from dataclasses import dataclass

from api.explanations import Explained, MemberPart
from clinical.vitals import SPECS, Vital, VitalSpec
from forecasting.config import BUCKETS
from forecasting.explain import Explanation

LEADS = (1, 6, 12, 24)
# The picture of a daily pattern, in the units of its viewBox.
HEIGHT, HOUR_WIDTH = 84.0, 15.0
MIDDLE = HEIGHT / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One UTC hour of day: a bar from the middle line; `ends` marks the highest and the lowest."""

    hour: int
    x: float
    y: float
    height: float
    text: str
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One member: per horizon bucket its weight and whether it is the greatest; what it said."""

    name: str
    structure: str
    weights: tuple[tuple[str, bool], ...]
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How one vital's forecast was made; without a leading member, `unexplained` says why.

    `leads` are the hours ahead that the table shows, `point` the forecast's own values there.
    `scale` is what the picture's upper and lower edge stand for.
    """

    vital: str
    label: str
    unit: str
    reason: str | None
    document_id: str | None
    members: tuple[MemberLine, ...]
    leads: tuple[int, ...]
    point: tuple[str, ...]
    absent: tuple[tuple[str, str], ...]
    leading: str
    share: float
    structure: str
    sentences: tuple[str, ...]
    making_sentences: tuple[str, ...]
    unexplained: str
    champion: str
    champion_why: str
    bars: tuple[Bar, ...]
    scale: str


def making(explained: Explained) -> Making:
    """Lay out one explained forecast."""
    forecast, leading, champion = explained.forecast, explained.leading, explained.champion
    spec = SPECS[Vital(forecast.vital)]
    leads = tuple(lead for lead in LEADS if lead <= len(forecast.point))
    first = next(iter(explained.members), "")
    return Making(
        vital=forecast.vital, label=spec.label, unit=spec.display_unit, reason=forecast.reason,
        document_id=forecast.document_id, leads=leads,
        members=_lines(explained, leads, spec),
        point=tuple(_number(spec, forecast.point[lead - 1]) for lead in leads),
        absent=tuple((_name(name), why) for name, why in sorted(explained.absent.items())),
        leading=_name(first), share=explained.members[first].share if first else 0.0,
        structure=leading.structure if leading else "",
        sentences=leading.sentences if leading else (),
        making_sentences=leading.making_sentences if leading else (),
        unexplained=explained.unexplained,
        champion=_name(champion.member) if champion else "",
        champion_why=champion.why if champion else "",
        bars=_bars(leading, spec), scale=_scale(leading, spec))


def _lines(
    explained: Explained, leads: tuple[int, ...], spec: VitalSpec
) -> tuple[MemberLine, ...]:
    greatest = {bucket: max((part.weights.get(bucket) or 0.0
                             for part in explained.members.values()), default=0.0)
                for bucket in BUCKETS}
    return tuple(
        MemberLine(
            name=_name(name), structure=part.structure or "",
            weights=tuple(_weight(part, bucket, greatest[bucket]) for bucket in BUCKETS),
            said=tuple(_number(spec, part.path[lead - 1]) for lead in leads))
        for name, part in explained.members.items())


def _weight(part: MemberPart, bucket: str, greatest: float) -> tuple[str, bool]:
    weight = part.weights.get(bucket)
    if weight is None:
        return "–", False
    return f"{weight:.0%}".replace("%", " %"), 0 < weight >= greatest


def _bars(leading: Explanation | None, spec: VitalSpec) -> tuple[Bar, ...]:
    """None where there is no pattern to draw."""
    if leading is None or not _edge(leading):
        return ()
    ends = {leading.highest_hour, leading.lowest_hour}
    return tuple(
        Bar(hour=hour, x=hour * HOUR_WIDTH, y=MIDDLE - max(0.0, size), height=abs(size),
            text=f"{value:+.{_digits(spec)}f}".replace("-", "−"), ends=hour in ends)
        for hour, value in enumerate(leading.daily_pattern)
        for size in (value / _edge(leading) * (MIDDLE - 2),))


def _edge(leading: Explanation) -> float:
    """The greatest deviation: the picture is symmetric about the day's mean."""
    return max(abs(value) for value in leading.daily_pattern)


def _scale(leading: Explanation | None, spec: VitalSpec) -> str:
    return "" if leading is None else f"{_edge(leading):.{_digits(spec)}f} {spec.display_unit}"


def _number(spec: VitalSpec, value: float) -> str:
    return f"{value:.{_digits(spec)}f}"


def _digits(spec: VitalSpec) -> int:
    return 1 if spec.resolution < 1 else 0


def _name(member: str) -> str:
    return member.replace("_", " ")
