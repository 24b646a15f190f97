"""What the forms of dates and moments mean: if wrong, a day is taken for another one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.contract import moments


@given(st.dates())
def test_every_day_is_read_back(day: date) -> None:
    assert moments.parse_date(day.isoformat()) == day
    assert moments.parse_date(f"{day.day:02}/{day.month:02}/{day.year:04}", "DD/MM/YYYY") == day
    assert moments.parse_date(f"{day.year:04}{day.month:02}{day.day:02}", "YYYYMMDD") == day


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2024-02-30",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-10",
        "0000-01-01",
        "24-01-01",
        "2024-1-1",
        "20240101",
        "2024-01-01T00:00",
        "2024/01/01",
        "\u0662\u0660\u0662\u0664-01-01",
        "+2024-01-01",
        "2024-W01-1",
        "2024-01-01\n",
        "today",
        "infinity",
        "epoch",
    ],
)
def test_what_is_no_day(value: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a"):
        moments.parse_date(value)


@given(
    st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from("Tt "),
)
def test_every_moment_is_read_back_in_utc(wall: datetime, minutes: int, between: str) -> None:
    sign, offset = "-" if minutes < 0 else "+", timedelta(minutes=abs(minutes))
    hours, rest = divmod(abs(minutes), 60)
    moment = (wall - timedelta(minutes=minutes)).replace(tzinfo=UTC)
    written = wall.isoformat(between, "microseconds")
    for zone in (f"{sign}{hours:02}:{rest:02}", f"{sign}{hours:02}{rest:02}"):
        assert moments.parse_timestamp(written + zone) == moment, offset
    if not rest:
        assert moments.parse_timestamp(f"{written}{sign}{hours:02}") == moment
    if not minutes:
        assert moments.parse_timestamp(written) == moment
        assert (
            moments.parse_timestamp(written + "Z")
            == moments.parse_timestamp(written + "z")
            == moment
        )


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-05-31", datetime(2024, 5, 31, tzinfo=UTC)),
        ("2024-05-31 13:45", datetime(2024, 5, 31, 13, 45, tzinfo=UTC)),
        ("2024-05-31T13:45:07.5", datetime(2024, 5, 31, 13, 45, 7, 500000, tzinfo=UTC)),
        ("2024-05-31T00:15-00:30", datetime(2024, 5, 31, 0, 45, tzinfo=UTC)),
        ("2024-05-31T23:59+14", datetime(2024, 5, 31, 9, 59, tzinfo=UTC)),
        ("2024-02-29T23:30-0100", datetime(2024, 3, 1, 0, 30, tzinfo=UTC)),
    ],
)
def test_forms_of_a_timestamp(value: str, moment: datetime) -> None:
    assert moments.parse_timestamp(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2024-05-31T24:00",
        "2024-05-31T23:60",
        "2024-12-31T23:59:60Z",
        "2024-05-31T13:45:07.",
        "2024-05-31T13:45:07.1234567",
        "2024-05-31T13:45:07,5",
        "2024-05-31T13",
        "2024-05-31 ",
        "2024-05-31Z",
        "2024-05-31T13:45+14:01",
        "2024-05-31T13:45+15",
        "2024-05-31T13:45+02:60",
        "2024-05-31T13:45 +02:00",
        "2024-05-31T13:45  UTC",
        "2024-05-31T13:45 GMT",
        "2024-05-31 UTC",
        "2024-05-31T13:45[Europe/Berlin]",
        "2024-05-31  13:45",
        "2023-02-29T00:00",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        "1717163107",
        "now",
    ],
)
def test_what_is_no_timestamp(value: str) -> None:
    with pytest.raises(ValueError, match=r"^(is not|has a UTC offset|has a fraction)"):
        moments.parse_timestamp(value)


def test_a_layout_of_ones_own() -> None:
    layout = "DD.MM.YYYY HH24:MI:SS"
    assert moments.parse_timestamp("31.05.2024 13:45:07", layout) == datetime(
        2024, 5, 31, 13, 45, 7, tzinfo=UTC
    )
    for wrong in ("31-05-2024 13:45:07", "31.05.2024 13:45", "31.05.2024 24:00:00", "5.05.2024"):
        with pytest.raises(ValueError, match="is not a"):
            moments.parse_timestamp(wrong, layout)


def test_a_dot_in_a_layout_is_a_dot() -> None:
    with pytest.raises(ValueError, match="is not a date in the form"):
        moments.parse_date("31x05x2024", "DD.MM.YYYY")


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ("YYYY-MM", "lacks DD"),
        ("", "lacks DD, MM, YYYY"),
        ("YYYY-MM-DD-DD", "has DD twice"),
        ("yyyy-mm-dd", "has 'y'"),
        ("%Y-%m-%d", "has '%'"),
        ("YYYY-MON-MM-DD", "has two tokens for one thing"),
        ("YY-MM-DD YYYY", "has two tokens for one thing"),
        ("D-M-YYYY D", "has D twice"),
        ("DMYYYY", "has no separator between D and M; see D"),
        ("YYYYM-DD", "has no separator between YYYY and M; see M"),
        ("DMONYYYY", "has no separator between D and MON; see D"),
        ("MONTHDD, YYYY", "has no separator between MONTH and DD; see MONTH"),
        ("YYYY-MM-DD HH12:MI", "has one of HH12 and AM without the other"),
        ("YYYY-MM-DD HH24:MI AM", "has one of HH12 and AM without the other"),
        ("YYYY-MM-DD HH24:MI.FF", "has FF without SS"),
        ("YYYY-MM-DD TZ HH24:MI", "has TZ before its end"),
        ("DD-MON-YYYYTHH24:MI", "has T beside the name of a month"),
        ("Epoch", "has 'E'|has 'p'"),
        ("YYYY-MM-DD HH:MI", "has 'H'"),
        ("YYYY-MM-DD; drop", "has ';'"),
    ],
)
def test_mistakes_in_a_layout_are_named(layout: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        moments.format_pattern(layout)


@pytest.mark.parametrize(
    ("value", "layouts", "said"),
    [
        ("3/4/2024", ["DD/MM/YYYY"], "DD/MM/YYYY; the form D/M/YYYY reads it"),
        ("3/4/2024", ["MM/DD/YYYY"], "MM/DD/YYYY; the form M/D/YYYY reads it"),
        ("31/12/2024", ["MM/DD/YYYY"], "MM/DD/YYYY; the form D/M/YYYY reads it"),
        ("3.4.24", ["DD/MM/YYYY", "YYYYMMDD"], "YYYYMMDD; the form D.M.YY or M.D.YY reads it"),
        ("5-Jan-24", ["YYYY-MM-DD"], "; the form D-MON-YY reads it"),
        ("05JAN2024", ["YYYY-MM-DD"], "; the form DDMONYYYY reads it"),
        ("January 5, 2024", ["YYYY-MM-DD"], "; the form MONTH D, YYYY reads it"),
        ("45000", ["YYYY-MM-DD"], "; the form excel reads it"),
        ("yesterday", ["DD/MM/YYYY"], "is not a date in the form DD/MM/YYYY"),
    ],
)
def test_the_form_that_reads_a_day_is_named(value: str, layouts: list[str], said: str) -> None:
    message = moments.unlike(value, "date", tuple(layouts))
    assert message.endswith(said)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("3/4/2024 9:05", "the form D/M/YYYY H24:MI or M/D/YYYY H24:MI reads it"),
        ("3/14/2024 9:05 PM", "the form M/D/YYYY H12:MI AM reads it"),
        ("10/Oct/2000:13:55:36 -0700", "the form D/MON/YYYY:H24:MI:SS TZ reads it"),
        ("2024/05/31 13:45:07.5", "the form YYYY/M/D H24:MI:SS.FF reads it"),
        ("1717163107", "the form epoch or epoch_ms reads it"),
        ("1717163107000", "the form epoch_ms reads it"),
        ("tomorrow", "13:45:00+02:00"),
    ],
)
def test_the_form_that_reads_a_moment_is_named(value: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^is not an ISO 8601 timestamp") as caught:
        moments.parse_timestamp(value)
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("value", "layout", "said"),
    [
        ("60", "excel", "is a day before 1900-03-01"),
        ("2958466", "excel", "is not a day of the calendar"),
        ("29-FEB-23", "D-MON-YY", "is not a day of the calendar"),
    ],
)
def test_what_is_no_day_in_its_form(value: str, layout: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        moments.parse_date(value, layout)
