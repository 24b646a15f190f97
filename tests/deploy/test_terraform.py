"""terraform/: that it is valid, gives exactly what the loader uses, and does what its page says.

Whatever Terraform writes goes to a copy. Its provider comes from the folder that TF_PLUGIN_MIRROR
names, else by a CLI configuration that is there, else from where a mirror is usually put, else from
the registry.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

import boto3
import pytest

from loader.files.s3 import S3Store
from loader.warehouse.work import WorkFolder, keep

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "terraform/README.md").read_text()
REGION, ACCOUNT = "eu-central-1", "123456789012"
BUCKET = "example-cti-lake"

# moto answers too little of Redshift for Terraform, and has one address for all buckets.
OVERRIDE = """
provider "aws" {
  s3_use_path_style = true
}

data "aws_redshift_cluster" "existing" {
  count = 0
}

locals {
  endpoint = { host = "warehouse-1.example.com", port = 5439 }
}
"""

pytestmark = pytest.mark.skipif(
    shutil.which("terraform") is None,
    reason="NOTHING OF terraform/ WAS TESTED: terraform is not on PATH; install it and run again",
)


def plugin_mirror() -> str | None:
    """A folder with the provider in it, laid out as Terraform's documentation has it."""
    if named := os.environ.get("TF_PLUGIN_MIRROR"):
        return named
    if Path(os.environ.get("TF_CLI_CONFIG_FILE", "")).is_file():
        return None  # it says where providers come from
    # Where software that no package manager knows is put, by the Filesystem Hierarchy Standard.
    found = glob("/opt/*/registry.terraform.io/hashicorp/aws")
    return str(Path(found[0]).parents[2]) if found else None


@dataclass
class Terraform:
    """The command, in a copy of terraform/."""

    folder: Path
    env: dict[str, str]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Runs it; returns what it prints. It must end with this exit code."""
        return self.shell(" ".join(["terraform", *arguments]), code)

    def shell(self, script: str, code: int = 0) -> str:
        """Runs a script in the folder; returns what it prints."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """This process's, without a developer's own AWS and Terraform settings."""
    folder = tmp_path_factory.mktemp("terraform")
    env = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "TF_", "CTI_"))}
    mirror = plugin_mirror()
    if mirror:
        config = folder / "terraform.rc"
        config.write_text(
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n'
        )
        env["TF_CLI_CONFIG_FILE"] = str(config)
    elif Path(os.environ.get("TF_CLI_CONFIG_FILE", "")).is_file():
        env["TF_CLI_CONFIG_FILE"] = os.environ["TF_CLI_CONFIG_FILE"]
    return env | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS": "-no-color",
        "TF_INPUT": "0",
    }


def copied(folder: Path) -> Path:
    """A copy of terraform/ as it would be cloned."""
    names = ("*.tf", "tests/*.hcl", "tests/*/*.hcl")
    for source in (p for name in names for p in (ROOT / "terraform").glob(name)):
        target = folder / "terraform" / source.relative_to(ROOT / "terraform")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return folder / "terraform"


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Terraform:
    """Terraform that reaches no AWS, with the provider at hand."""
    run = Terraform(copied(tmp_path_factory.mktemp("mocked")), environment)
    run("init", "-backend=false")
    return run


def test_the_files_are_in_the_one_style(terraform: Terraform) -> None:
    assert terraform("fmt", "-check", "-recursive", "-diff") == ""


def test_the_files_are_valid(terraform: Terraform) -> None:
    assert json.loads(terraform("validate", "-json"))["diagnostics"] == []


def test_the_policies_and_the_rest_of_the_logic(terraform: Terraform) -> None:
    said = terraform("test")
    runs = sum(f.read_text().count("\nrun ") for f in (terraform.folder / "tests").glob("*.hcl"))
    assert f"Success! {runs} passed, 0 failed." in said


# The page


def blocks(kind: str) -> dict[str, str]:
    """The variables or outputs of terraform/, by name, in order."""
    text = (ROOT / f"terraform/{kind}s.tf").read_text()
    return dict(re.findall(rf'^{kind} "(\w+)" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL))


def setting(name: str, block: str) -> str | None:
    found = re.search(rf"^  {name} += (.*)$", block, re.MULTILINE)
    return found[1] if found else None


def table(title: str) -> list[list[str]]:
    """The cells of the table under a title of the page."""
    section = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_lists_the_variables_as_they_are() -> None:
    expected = []
    for name, block in blocks("variable").items():
        default = setting("default", block)
        text = (setting("description", block) or "").strip('"')
        expected.append([f"`{name}`", f"`{default}`" if default else "required", text])
    assert len(expected) > 10
    assert table("Variables") == expected


def test_the_page_lists_the_outputs_as_they_are() -> None:
    texts = {
        name: (setting("description", block) or "").strip('"')
        for name, block in blocks("output").items()
    }
    assert len(texts) > 5
    assert table("Outputs") == [[f"`{name}`", text] for name, text in texts.items()]


def test_the_environment_is_what_the_loader_and_the_profile_read() -> None:
    # GIVEN what the profile, the macros and the loader's options read from the environment
    profile = (ROOT / "profiles.yml.example").read_text().split("    redshift:\n")[1]
    macros = "".join(path.read_text() for path in (ROOT / "macros").rglob("*.sql"))
    feed = (ROOT / "models/staging/cti/_cti__sources.yml").read_text()
    options = (ROOT / "loader/cli/options.py").read_text()
    read = set(re.findall(r"env_var\('(\w+)'", profile + macros + feed))
    read |= set(re.findall(r'envvar="(CTI_\w+)"', options))
    # THEN it is all set, but for the password and what is only needed to differ from the usual
    outputs = (
        (ROOT / "terraform/outputs.tf").read_text().split("environment = {")[1].split("}\n")[0]
    )
    given = set(re.findall(r"^    (\w+) += ", outputs, re.MULTILINE))
    optional = {"CTI_COPY_REGION", "CTI_COPY_AS_IS_BYTES", "CTI_RAW_SCHEMA"}
    optional |= {"CTI_SHARD", "CTI_RUN_ID"}
    assert read - given == {"DBT_ENV_SECRET_REDSHIFT_PASSWORD"} | optional
    # AND nothing that nobody reads: the region is boto3's
    assert given - read == {"AWS_DEFAULT_REGION"}


# A server that imitates AWS


@pytest.fixture(scope="session")
def aws(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment in which programs find the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            assert server.poll() is None, "moto ended at its start"
            try:
                urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=1).close()  # noqa: S310
                break
            except OSError:
                time.sleep(0.1)
        yield environment | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "anybody",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        }
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(autouse=True, scope="session")
def settings(aws: dict[str, str]) -> Iterator[None]:
    """boto3, in this process, finds the server too, and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(("AWS_", "CTI_"))]:
            patch.delenv(name)
        for name, value in aws.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        yield


def client(service: str) -> Any:
    return boto3.Session().client(service)  # type: ignore[call-overload]


def commands() -> list[list[str]]:
    """The page's commands, block by block."""
    found = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [[line.removeprefix("$ ") for line in block.splitlines()] for block in found]


@contextmanager
def lenient_bucket() -> Iterator[None]:
    """moto knows no conditions: it takes the denial of what comes without TLS for one of all."""
    s3 = client("s3")
    denial = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    s3.delete_bucket_policy(Bucket=BUCKET)
    yield
    s3.put_bucket_policy(Bucket=BUCKET, Policy=denial)


@dataclass
class Site:
    """What stands after the page's commands were run; terraform's environment is what they left."""

    terraform: Terraform
    secret: str
    password: str

    def outputs(self) -> dict[str, Any]:
        """Terraform's outputs."""
        values = json.loads(self.terraform("-chdir=terraform", "output", "-json"))
        return {name: value["value"] for name, value in values.items()}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, aws: dict[str, str]) -> Iterator[Site]:
    """Made by the page's commands, with an existing cluster since there is no Serverless here."""
    password = 'o\'er "the" $hills'
    secret = client("secretsmanager").create_secret(
        Name="loader", SecretString=json.dumps({"username": "cti_admin", "password": password})
    )["ARN"]
    folder = tmp_path_factory.mktemp("applied")
    (copied(folder) / "local_override.tf").write_text(OVERRIDE)
    shutil.copytree(ROOT / "samples", folder / "samples")
    answers = {
        # For one that asks there is nobody here.
        "TF_CLI_ARGS_apply": "-auto-approve",
        "TF_CLI_ARGS_destroy": "-auto-approve",
        "TF_VAR_existing_cluster": "warehouse-1",
        "TF_VAR_existing_cluster_secret": secret,
        "TF_VAR_alarm_email": "data@example.com",
    }
    terraform = Terraform(folder, aws | answers)
    made, prepared, _, destroyed = commands()
    # What the shell knows after these is what the next commands know.
    keep = ["echo =====", "env -0"]
    terraform.shell("\n".join(made))
    return_to = ["cd terraform", *(line for line in made if line.startswith("export "))]
    copy = prepared.index("cd ..")
    said = terraform.shell("\n".join([*return_to, *prepared[:copy], *keep]))
    env = said.split("=====\n")[1].split("\0")
    terraform.env = dict(pair.split("=", 1) for pair in env if pair)
    with lenient_bucket():
        load = prepared.pop()
        assert load == ".venv/bin/python -m loader run"  # for which there is no warehouse here
        terraform.shell("\n".join(["cd terraform", *prepared[copy:]]))
    yield Site(terraform, secret, password)
    # THEN in the end a bucket with files in it stands in the way, and nothing else is left
    (destroy,) = destroyed
    assert "BucketNotEmpty" in terraform.shell(f"! {destroy} 2>&1")
    versions = client("s3").list_object_versions(Bucket=BUCKET)
    for version in (*versions["Versions"], *versions.get("DeleteMarkers", ())):
        client("s3").delete_object(
            Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"]
        )
    terraform.shell(destroy)
    assert client("s3").list_buckets()["Buckets"] == []
    assert client("iam").list_roles()["Roles"] == []
    assert client("iam").list_policies(Scope="Local")["Policies"] == []
    assert client("logs").describe_log_groups()["logGroups"] == []
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert client("sns").list_topics()["Topics"] == []


def test_the_page_s_commands_set_the_loader_s_environment(site: Site) -> None:
    env = site.terraform.env
    expected = {
        "AWS_DEFAULT_REGION": REGION,
        "CTI_TARGET": "redshift",
        "CTI_INDICATORS_LOCATION": f"s3://{BUCKET}/raw/indicators/*.csv*",
        "CTI_WORK_LOCATION": f"s3://{BUCKET}/work/",
        "CTI_REJECTS_LOCATION": f"s3://{BUCKET}/rejects/",
        "CTI_COPY_ROLE": f"arn:aws:iam::{ACCOUNT}:role/cti-etl-copy",
        "REDSHIFT_HOST": "warehouse-1.example.com",
        "REDSHIFT_PORT": "5439",
        "REDSHIFT_DATABASE": "dev",
        "REDSHIFT_USER": "cti_admin",
        "REDSHIFT_SSLMODE": "verify-full",
    }
    assert {name: env.get(name) for name in expected} == expected
    assert env["DBT_ENV_SECRET_REDSHIFT_PASSWORD"] == site.password
    shown = commands()[2]
    assert json.loads(site.terraform.shell("\n".join(shown))) == expected


def test_the_page_s_commands_put_the_samples_where_the_loader_looks(site: Site) -> None:
    with lenient_bucket():
        found = [*S3Store(site.outputs()["environment"]["CTI_INDICATORS_LOCATION"]).find()]
    assert len(found) == len(list((ROOT / "samples/indicators").glob("*.csv*"))) > 3


def test_applying_again_changes_nothing(site: Site) -> None:
    # -detailed-exitcode: 2 if there is anything to do
    assert "No changes." in site.terraform("-chdir=terraform", "plan", "-detailed-exitcode")


def test_no_password_is_in_the_state(site: Site) -> None:
    state = (site.terraform.folder / "terraform/terraform.tfstate").read_text()
    assert site.secret in state
    assert "hills" not in state


def test_the_bucket(site: Site) -> None:
    s3 = client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    blocked = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert len(blocked) == 4
    assert all(blocked.values())
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement == {
        "Sid": "OnlyTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_what_the_bucket_deletes_by_itself(site: Site) -> None:
    rules = client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    work, versions, uploads = rules
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert work["Filter"] == {"Prefix": "work/"}
    assert work["Expiration"]["Days"] == 7
    assert work["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    # Of the whole bucket only what nobody sees any more.
    assert versions["Filter"] in ({}, {"Prefix": ""})
    assert versions["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert versions["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    assert uploads["Filter"] in ({}, {"Prefix": ""})
    assert "Expiration" not in uploads
    assert uploads["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def policy(arn: str) -> list[dict[str, Any]]:
    """The statements of a managed policy, as they stand in the account."""
    iam = client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return list(document["Statement"])


def test_the_copy_role(site: Site) -> None:
    iam = client("iam")
    (role,) = iam.list_roles()["Roles"]
    assert role["Arn"] == site.outputs()["environment"]["CTI_COPY_ROLE"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    user = f"arn:aws:redshift:{REGION}:{ACCOUNT}:dbuser:warehouse-1/cti_admin"
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": user}}
    # Its one policy, and no other attached.
    name = role["RoleName"]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    (inline,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"][
        "Statement"
    ]
    assert [(s["Effect"], s["Action"], s["Resource"]) for s in statements] == [
        ("Allow", ["s3:ListBucket"], [f"arn:aws:s3:::{BUCKET}"]),
        (
            "Allow",
            ["s3:GetObject"],
            [f"arn:aws:s3:::{BUCKET}/raw/*", f"arn:aws:s3:::{BUCKET}/work/*"],
        ),
    ]
    assert statements[0]["Condition"] == {"StringLike": {"s3:prefix": ["raw/*", "work/*"]}}


def test_the_command_that_attaches_the_copy_role_is_one(site: Site) -> None:
    # The command line checks its arguments, and sends nothing.
    said = site.terraform.shell(
        f"{site.outputs()['attach_copy_role']} --generate-cli-skeleton output"
    )
    assert "IamRoleArn" in said


def test_the_runner_s_policy(site: Site) -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/cti-etl/loader:*"
    assert [(s["Action"], s["Resource"]) for s in policy(site.outputs()["runner_policy_arn"])] == [
        (["secretsmanager:GetSecretValue"], [site.secret]),
        (["logs:CreateLogStream", "logs:PutLogEvents"], [group]),
    ]


@dataclass(frozen=True)
class Asked:
    """A request to S3, in the words of IAM. object: of a listing, its prefix."""

    action: str
    object: str

    def is_allowed_by(self, statement: dict[str, Any]) -> bool:
        """Whether a statement allows it, in the bucket."""
        assert statement["Effect"] == "Allow"
        if self.action not in statement["Action"]:
            return False
        arn = f"arn:aws:s3:::{BUCKET}"
        if self.action == "s3:ListBucket":
            prefixes = statement["Condition"]["StringLike"]["s3:prefix"]
            return statement["Resource"] == [arn] and matches(self.object, prefixes)
        assert "Condition" not in statement
        return matches(f"{arn}/{self.object}", statement["Resource"])


def matches(text: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


# Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Every request that this process makes of S3 from now on."""
    requests: list[Asked] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        requests.append(Asked(ACTIONS[model.name], params.get("Key") or params["Prefix"]))

    session = boto3.Session()
    session.events.register("provide-client-params.s3", note)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", session)
    return requests


def test_the_loader_s_policy_is_what_the_loader_asks_for(
    site: Site, asked: list[Asked], tmp_path: Path
) -> None:
    # GIVEN a bucket beside the real one: moto does not get rid of what deleting leaves in one with
    # versions, and does not know the conditions of its policy
    outputs, beside = site.outputs(), "beside"
    locations = {n: v.replace(BUCKET, beside) for n, v in outputs["environment"].items()}
    s3 = client("s3")
    s3.create_bucket(Bucket=beside, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=beside, Key="raw/indicators/today.csv", Body=b"a,b\n1,2\n")
    # WHEN the loader does all that it does in S3 in a load
    store = S3Store(locations["CTI_INDICATORS_LOCATION"])
    (file,) = store.find()
    file, path = store.fetch(file, tmp_path)
    store.check_unchanged(file)
    work = WorkFolder(locations["CTI_WORK_LOCATION"], "cti.indicators")
    work.put(f"{work.uri}manifest-1.json", "{}")
    work.upload(path)
    work.remove()
    # AND keeps rejected records, of which there are so many that they go up in parts
    refused = tmp_path / "rejects.jsonl"
    refused.write_bytes(b"{}\n" * 3_000_000)
    keep(refused, locations["CTI_REJECTS_LOCATION"], "load-1.jsonl")
    # THEN nothing is left under the work location
    left = [entry["Key"] for entry in s3.list_objects_v2(Bucket=beside)["Contents"]]
    assert left == ["raw/indicators/today.csv", "rejects/load-1.jsonl"]
    for key in left:
        s3.delete_object(Bucket=beside, Key=key)
    s3.delete_bucket(Bucket=beside)
    # AND its policy allows every request
    statements = policy(outputs["loader_policy_arn"])
    assert {request.action for request in asked} == set(ACTIONS.values())
    for request in asked:
        assert any(request.is_allowed_by(s) for s in statements), request
    # AND nothing that it did not ask for: each action of each statement, on each of its prefixes
    for statement in statements:
        prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
        for action in statement["Action"]:
            names = [r.object for r in asked if r.action == action and r.is_allowed_by(statement)]
            for pattern in prefixes or statement["Resource"]:
                assert fnmatch.filter(names, pattern.removeprefix(f"arn:aws:s3:::{BUCKET}/")), (
                    action,
                    pattern,
                )


def test_the_alarm_watches_what_the_filters_count(site: Site) -> None:
    outputs = site.outputs()
    filters = client("logs").describe_metric_filters(logGroupName=outputs["log_group"])
    (metric,) = {
        (t["metricNamespace"], t["metricName"], t["metricValue"])
        for f in filters["metricFilters"]
        for t in f["metricTransformations"]
    }
    assert len(filters["metricFilters"]) == 2
    (alarm,) = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["Namespace"], alarm["MetricName"], "1") == metric
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, 26)
    assert (alarm["TreatMissingData"], alarm["Statistic"]) == ("breaching", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["AlarmActions"] == alarm["OKActions"] == [outputs["alarm_topic_arn"]]
    (mail,) = client("sns").list_subscriptions_by_topic(TopicArn=outputs["alarm_topic_arn"])[
        "Subscriptions"
    ]
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "data@example.com")
