"""Times as reports write them: Beijing time with its offset, from microseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def shanghai(at: int) -> datetime:
    """The instant as an aware time in Shanghai."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(SHANGHAI)


def iso(at: int | None) -> str | None:
    """ISO 8601 to the second, with +08:00; None stays None."""
    return None if at is None else shanghai(at).replace(microsecond=0).isoformat()


def microseconds(text: str | None) -> int | None:
    """The instant that iso() wrote, back as microseconds UTC."""
    return None if text is None else (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
