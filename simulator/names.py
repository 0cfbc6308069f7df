"""Invented names: nobody here exists, and nothing here was ever recorded."""

from __future__ import annotations

import numpy as np
import polars as pl

FIRST_FEMALE = (
    "Maribelle", "Quinella", "Tamsible", "Orlanthe", "Jessamina", "Fennelle", "Wrenna", "Odalyne",
    "Pippalou", "Seraphyll", "Briolette", "Calindra", "Dovetta", "Elowisp", "Gwindle", "Hazelune",
    "별하", "달래솔", "아라빛", "꽃샘", "노을이", "이슬비",
)  # fmt: skip
FIRST_MALE = (
    "Bramwick", "Thaddle", "Osgrim", "Pelham-Jo", "Rufflebert", "Corvane", "Dunstable", "Emberly",
    "Fitzroan", "Garrowin", "Halverick", "Ivorian", "Jasperell", "Kestrow", "Lorimund", "Mosswell",
    "한결솔", "가람별", "마루한", "새벽이", "바람찬", "우레솔",
)  # fmt: skip
LAST = (
    "Quillfeather", "Marshlantern", "Thimblewood", "Underbough", "Copperkettle", "Larksong-Vale",
    "Puddlemere", "Saltwhistle", "Driftmore", "Fogbottom", "Hollowreed", "Inkberry", "Juniperoot",
    "Kettlestone", "Lintweather", "Mothershed", "Nettlecombe", "Oakapple", "Pennywhist", "Quartzly",
    "Rushlight", "Sorrelby", "Tanglewick", "Umberfield", "Velvetine", "Wanderlow", "Yarrowby",
    "구름재", "은하수골", "단풍나루", "솔바람터", "달무리",
)  # fmt: skip
STREET_ADJECTIVE = (
    "Velvet", "Quiet", "Amber", "Hollow", "Silver", "Crooked", "Misty", "Humming", "Lazy", "Brisk",
    "Painted", "Whistling", "Dusty", "Winding", "Thistle", "Marble",
)  # fmt: skip
STREET_NOUN = (
    "Comet", "Otter", "Lantern", "Kettle", "Meadow", "Sparrow", "Acorn", "Harbour", "Teapot",
    "Willow", "Cricket", "Ember", "Pebble", "Mitten", "Beacon", "Clover",
)  # fmt: skip
STREET_KIND = ("Hollow", "Row", "Bend", "Terrace", "Walk", "Close", "Rise", "Landing")
ARTIST_HEAD = (
    "Glimmer", "Moss", "Neon", "Paper", "Static", "Velour", "Copper", "Lunar", "Tidal", "Feral",
    "Pixel", "Saffron", "Cobalt", "Wool", "Ghost", "Marzipan", "Turbo", "Origami", "Kimchi",
    "Satellite",
)  # fmt: skip
ARTIST_TAIL = (
    "fox", "volt", "heron", "parade", "machine", "orchard", "kites", "choir", "engine", "moth",
    "harbor", "circus", "antlers", "radio", "pilots", "garden", "tigers", "weather", "spoons",
    "signal",
)  # fmt: skip
ARTIST_KOREAN = (
    "달토끼밴드", "구름우산", "은하수리공", "파란고래단", "솜사탕공장",
    "별가루상회", "종이비행단", "나비전파사",
)  # fmt: skip
TITLE_HEAD = (
    "Seventeen", "Borrowed", "Midnight", "Upside-Down", "Unsent", "Half-Remembered", "Electric",
    "Sideways", "Imaginary", "Second-Hand", "Rainproof", "Left-Handed", "Paper", "Almost",
    "Backwards", "Tiny",
)  # fmt: skip
TITLE_TAIL = (
    "Umbrellas", "Postcards", "Staircase", "Aquarium", "Telegram", "Bicycles", "Horizon",
    "Lighthouse", "Marmalade", "Escalator", "Satellites", "Photographs", "Thunder", "Windowsill",
    "Carousel", "Gravity", "Snowglobe", "Timetable", "Lullaby", "Parachute",
)  # fmt: skip
TITLE_KOREAN = (
    "우산 없는 오후", "거꾸로 걷는 골목", "세 번째 달", "보내지 않은 엽서", "종이배 항구",
    "느린 열차의 꿈", "파란 양말", "고양이 시간표", "구름 수선집", "별을 빌린 밤",
)  # fmt: skip


def pick(rng: np.random.Generator, words: tuple[str, ...], count: int) -> pl.Series:
    """`count` words drawn with equal chances."""
    return pl.Series(words).gather(rng.integers(0, len(words), count))


def people_names(rng: np.random.Generator, female: np.ndarray) -> pl.Series:
    """A full name for each person; `female` is a boolean array."""
    count = len(female)
    women, men = pick(rng, FIRST_FEMALE, count), pick(rng, FIRST_MALE, count)
    first = women.zip_with(pl.Series(female), men)
    return first + " " + pick(rng, LAST, count)


def addresses(rng: np.random.Generator, count: int) -> pl.Series:
    """Street addresses without a town, as in the original file."""
    number = pl.Series(rng.integers(1, 99_999, count)).cast(pl.String)
    words = (STREET_ADJECTIVE, STREET_NOUN, STREET_KIND)
    adjective, noun, kind = (pick(rng, choice, count) for choice in words)
    return number + " " + adjective + " " + noun + " " + kind


def artist_names(rng: np.random.Generator, count: int) -> pl.Series:
    """Artists, all different as long as the words last; one in eight is Korean."""
    english = [head + tail for head in ARTIST_HEAD for tail in ARTIST_TAIL]
    rng.shuffle(english)
    rounds = [
        name if i < len(english) else f"{name} {roman(i // len(english) + 1)}"
        for i, name in ((i, english[i % len(english)]) for i in range(count))
    ]
    korean = [
        f"{name} {i + 1}" if i else name
        for i in range(count // (8 * len(ARTIST_KOREAN)) + 1)
        for name in ARTIST_KOREAN
    ]
    return pl.Series([korean[i // 8] if i % 8 == 7 else name for i, name in enumerate(rounds)])


def roman(number: int) -> str:
    """Roman numerals up to 3999, for the second and later bearers of a name."""
    parts = (
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    )
    text = ""
    for value, letters in parts:
        text += letters * (number // value)
        number %= value
    return text
