"""How numbers are said to a person, as the program says them (src/console/wording.hpp)."""
import datetime
from collections.abc import Iterable
from typing import Any

NONE = "–"  # where there is nothing to say
ALL_EXPERTS = "all experts"

Config = dict[str, Any]  # or a part of one
Routings = Config | list[Config]  # of a phase: one for all layers, or one for each


def percent(fraction: float | None, places: int = 2) -> str:
    return NONE if fraction is None else f"{100 * fraction:.{places}f} %"


def number(value: float | None, places: int = 3) -> str:
    return NONE if value is None else f"{value:.{places}f}"


def grouped(count: int | None) -> str:
    return NONE if count is None else f"{count:,}"


def whole(value: float, _: object = None) -> str:
    """A whole number, on an axis too."""
    return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")


def short(value: float, _: object = None) -> str:
    """"850", "200k", "1.5M": on an axis too."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9999 * size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole // 60 % 60} min"


def listed(parts: Iterable[str], last: str = "and") -> str:
    """"a", "a and b", "a, b and c"."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}" if parts else ""


def moment(iso_time: str) -> str:
    """"24 November 2026, 00:41 UTC"; another notation as it is."""
    try:
        time = datetime.datetime.strptime(iso_time, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return iso_time
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def factor(name: str) -> str:
    return name.replace("_", " ")


def layer(spec: Config) -> str:
    """"4x100", "100 single", as the program says it."""
    kind = spec.get("kind", "mixture")
    size = f"{spec['experts']}x{spec['hidden']}" if "experts" in spec else str(spec["hidden"])
    return size if kind == "mixture" else f"{size} {kind}"


def routing(rule: str, setting: float | None) -> str:
    """"top 2", "gates of 0.1 and more", "all experts", as the program says it."""
    if rule == "top_k":
        return f"top {setting:g}"
    return f"gates of {setting:g} and more" if rule == "threshold" else f"{rule} experts"


def routing_of(spec: Config) -> str:
    """"top 2", "top 1 (probability, noise 2)": of one in a config, without what goes without saying."""
    rule = spec.get("rule", "all")
    size = {"top_k": "k", "threshold": "probability"}.get(rule, "")
    text = routing(rule, spec.get(size))
    value, noise = spec.get("value", "renormalised"), spec.get("noise", 0)
    details = [value.replace("_", " ")] * (value != "renormalised") + [f"noise {noise:g}"] * (noise > 0)
    details += [f"{key} {setting}" for key, setting in spec.items() if key not in ("rule", size, "value", "noise")]
    return f"{text} ({', '.join(details)})" if details else text


def routings_by_layer(specs: Routings) -> list[str]:
    """Of a phase in a config: one for each layer, or for all."""
    return [routing_of(spec) for spec in (specs if isinstance(specs, list) else [specs])]


def routings(specs: Routings) -> str:
    """"top 2", "all experts - top 2": of a phase in a config, by layers where they differ."""
    texts = routings_by_layer(specs)
    return texts[0] if len(set(texts)) == 1 else " - ".join(texts)


def network(config: Config) -> str:
    """"4x100 - 4x100"."""
    return " - ".join(layer(spec) for spec in config["layers"])
