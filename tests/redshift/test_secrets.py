"""No password or key leaves the process, whatever is asked for and whatever goes wrong.

test_whole_run.py looks through what ordinary runs write; here is what people try when one fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from redshift.commands import Outcome
from redshift.site import Site, indicators

pytestmark = pytest.mark.slow

_WRONG = {
    "password": {"DBT_ENV_SECRET_REDSHIFT_PASSWORD": "Marked-wrong-pass9"},
    "s3 key": {"AWS_SECRET_ACCESS_KEY": "marked+wrong/key9"},
    "host": {"REDSHIFT_HOST": "127.0.0.1", "REDSHIFT_PORT": "1"},
    "role": {"CTI_COPY_ROLE": "arn:aws:iam::123456789012:role/somebody-elses"},
    "work location": {"CTI_WORK_LOCATION": "s3://no-such-bucket/work/"},
}


@pytest.fixture(scope="module")
def outcomes(site: Site) -> dict[str, Outcome]:
    """Commands with all that they can be made to tell, done and failed."""
    site.put("in/a.csv", indicators("a"))
    loud = {"DBT_LOG_LEVEL": "debug", "DBT_DEBUG": "true", "DBT_LOG_LEVEL_FILE": "debug"}

    def started(name: str, command: str, more: Mapping[str, str]) -> Outcome:
        more = {"DBT_TARGET_PATH": f"target/{name.replace(' ', '-')}", **loud, **more}
        arguments = (command, "--debug", "--select", "indicators")
        return site.start("loader", *arguments, impatient=True, more=more).wait()

    done = {command: started("loud", command, {}) for command in ("plan", "load", "check")}
    site.put("in/b.csv", indicators("b"))
    return done | {name: started(name, "load", more) for name, more in _WRONG.items()}


@pytest.mark.parametrize("name", [*_WRONG, "plan", "load", "check"])
def test_each_ends_as_it_should(site: Site, outcomes: dict[str, Outcome], name: str) -> None:
    # Else the test below would look through what nobody wrote.
    if name in ("role", "work location"):
        site.cluster.rig_only("a cluster has its own roles and buckets")
    code = {"password": 2, "s3 key": 2, "work location": 2, "host": 3, "role": 2}.get(name, 0)
    assert outcomes[name].code == code, outcomes[name].text
    assert ("Traceback" in outcomes[name].err) is (name in _WRONG)


def test_no_secret_is_told_or_written(site: Site, outcomes: dict[str, Outcome]) -> None:
    wrong = [value for more in (_WRONG["password"], _WRONG["s3 key"]) for value in more.values()]
    secrets = [
        form.encode()
        for secret in (*site.cluster.secrets, *wrong)
        for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    ]
    texts = {name: f"{o.out}\n{o.err}".encode() for name, o in outcomes.items()}
    files = [path for path in site.folder.rglob("*") if path.is_file()]
    texts |= {str(path.relative_to(site.folder)): path.read_bytes() for path in files}
    if rig := site.cluster.rig:
        texts |= {f"statement {n}": sql.encode() for n, sql in enumerate(rig.sent())}
    assert any("dbt.log" in name for name in texts)
    assert [name for name, text in texts.items() if any(s in text for s in secrets)] == []


def test_no_option_takes_a_secret() -> None:
    # What stands in a command line, everybody on the machine can read.
    from loader.cli.main import cli

    for command in cli.commands.values():
        for option in command.params:
            assert not {"password", "secret", "key", "token"} & {str(option.name)}
