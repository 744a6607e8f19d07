"""The stack's permissions and secrets: each role may do what it must, and no secret stands anywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from script_kit import ROOT
from stack_kit import ACCOUNT, REGION, Stack, raw, stack
from trimtab.settings.secret import PARAMETER, SECRET_NAMES

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
STACKS = {
    "on S3": {},
    "on EFS": {"Store": "efs"},
    "everything on": {
        "Heartbeat": "yes",
        "Tracing": "on",
        "SecretsKeyArn": KEY,
        "AlarmEmail": "me@example.com",
    },
    "live": {"Mode": "live", "ReservedConcurrency": "1"},
}
NO_RESOURCE = {
    "ec2:CreateNetworkInterface": "made by Lambda before it has a name",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "describing knows no resource",
    "ec2:DescribeSubnets": "as above",
    "ec2:AssignPrivateIpAddresses": "of interfaces without a name",
    "ec2:UnassignPrivateIpAddresses": "as above",
    "xray:PutTraceSegments": "X-Ray knows no resource",
    "xray:PutTelemetryRecords": "as above",
}
"""The actions for which `*` is the only resource that AWS takes, and why."""
NAMELESS = {"arn:StoreBucket/*", "StoreBucket.Arn/*"}
"""Resources with a wildcard in them: objects whose names only a run knows."""


@pytest.fixture(params=STACKS.values(), ids=STACKS)
def made(request: pytest.FixtureRequest) -> Stack:
    """A stack of each kind."""
    return stack(request.param)


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    """One value or several, as several."""
    return value if isinstance(value, list) else [value]


def statements(found: Stack, role: str | None = None) -> list[dict[str, Any]]:
    """The statements of the policies of one role, or of all."""
    roles = found.of_type("IAM::Role")
    chosen = [roles[role]] if role else list(roles.values())
    return [s for made in chosen for p in made["Policies"] for s in p["PolicyDocument"]["Statement"]]


def allowed(found: Stack, role: str) -> dict[str, set[str]]:
    """What a role may do, by action, and to which resources."""
    may: dict[str, set[str]] = {}
    for statement in statements(found, role):
        if statement["Effect"] == "Allow":
            for action in as_list(statement["Action"]):
                may.setdefault(action, set()).update(as_list(statement["Resource"]))
    return may


def test_no_role_has_a_wildcard_but_where_aws_knows_no_resource(made: Stack) -> None:
    """No action is a pattern; `*` is the resource only of the actions that take no other."""
    for statement in statements(made):
        if statement["Effect"] == "Deny":
            continue
        assert not [action for action in as_list(statement["Action"]) if "*" in action]
        wild = {resource for resource in as_list(statement["Resource"]) if "*" in resource}
        if "*" in wild:
            assert set(as_list(statement["Action"])) <= set(NO_RESOURCE)
        else:
            assert wild <= NAMELESS


def test_no_role_has_a_managed_policy(made: Stack) -> None:
    """AWS's own policies for functions allow every log group; these roles name theirs."""
    roles = made.of_type("IAM::Role")
    assert set(roles) == {"RebalanceRole", "NotifyRole", "ScheduleRole"}
    assert not [name for name, role in roles.items() if "ManagedPolicyArns" in role]
    functions = made.of_type("Lambda::Function")
    assert {name: function["Role"] for name, function in functions.items()} == {
        "RebalanceFunction": "arn:RebalanceRole",
        "NotifyFunction": "arn:NotifyRole",
    }


def test_a_run_may_read_and_write_its_store_and_no_more() -> None:
    """In S3 it reads, writes and lists; it deletes nothing, and can't change its own configuration."""
    may = allowed(stack(), "RebalanceRole")
    assert may == {
        "logs:CreateLogStream": {"arn:RebalanceLogs"},
        "logs:PutLogEvents": {"arn:RebalanceLogs"},
        "sqs:SendMessage": {"arn:FailedEvents"},
        "ssm:GetParameters": may["ssm:GetParameters"],
        "ssm:GetParametersByPath": {
            f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/trimtab-paper/fleet/main"  # broker.parameters
        },
        "s3:GetObject": {"arn:StoreBucket/*"},
        "s3:PutObject": {"arn:StoreBucket/*"},
        "s3:ListBucket": {"arn:StoreBucket"},
    }
    (denied,) = [s for s in statements(stack(), "RebalanceRole") if s["Effect"] == "Deny"]
    assert (denied["Action"], denied["Resource"]) == ("s3:PutObject", "arn:StoreBucket/config/*")


def test_on_efs_a_run_mounts_its_access_point_and_its_code_makes_no_network() -> None:
    """What Lambda needs the role for, the code may not use: it is denied to the function itself."""
    found = stack({"Store": "efs"})
    may = allowed(found, "RebalanceRole")
    assert not [action for action in may if action.startswith("s3:")]
    assert may["elasticfilesystem:ClientMount"] == {"arn:StoreFileSystem"}
    (denied,) = [s for s in statements(found, "RebalanceRole") if s["Effect"] == "Deny"]
    network = {action for action in may if action.startswith("ec2:")}
    assert set(denied["Action"]) == network
    assert denied["Condition"] == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:trimtab-paper-rebalance"
        }
    }


def test_only_the_scheduler_of_this_account_wakes_the_function() -> None:
    """Its role may call this function and leave a dead letter; no other account's schedule may take it."""
    found = stack()
    assert allowed(found, "ScheduleRole") == {
        "lambda:InvokeFunction": {"arn:RebalanceFunction"},
        "sqs:SendMessage": {"arn:UndeliveredEvents"},
    }
    (trust,) = found.of_type("IAM::Role")["ScheduleRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_no_secret_stands_in_an_environment(made: Stack) -> None:
    """A secret is named by its parameter, which lies under the stack's own path; its value is nowhere."""
    for function in made.of_type("Lambda::Function").values():
        variables = function["Environment"]["Variables"]
        assert not set(SECRET_NAMES) & set(variables)
        named = {name: value for name, value in variables.items() if name.endswith(PARAMETER)}
        assert named == {n: f"/trimtab-paper/{n.removesuffix(PARAMETER)}" for n in named}
        assert set(variables) - set(named) <= {"TRIMTAB_CONFIG", "TRIMTAB_STORE__URL", "TRIMTAB_LIVE"}


def test_a_role_reads_exactly_the_secrets_that_its_function_names(made: Stack) -> None:
    """Not one parameter more, and none of another stack's."""
    for function, role in (("RebalanceFunction", "RebalanceRole"), ("NotifyFunction", "NotifyRole")):
        variables = made.of_type("Lambda::Function")[function]["Environment"]["Variables"]
        names = {value for name, value in variables.items() if name.endswith(PARAMETER)}
        arns = {f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}" for name in names}
        assert allowed(made, role)["ssm:GetParameters"] == arns


def test_a_key_of_the_owners_is_used_through_ssm_only() -> None:
    """Without one, no role may decrypt anything by itself."""
    assert not [s for s in statements(stack()) if "kms:Decrypt" in as_list(s["Action"])]
    keyed = [s for s in statements(stack({"SecretsKeyArn": KEY})) if "kms:Decrypt" in as_list(s["Action"])]
    assert [s["Resource"] for s in keyed] == [KEY, KEY]
    assert all(
        s["Condition"] == {"StringEquals": {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}} for s in keyed
    )


def test_only_a_live_stack_has_the_live_flag() -> None:
    """A live configuration in a paper stack is refused."""

    def flag(mode: str) -> object:
        functions = stack({"Mode": mode}).of_type("Lambda::Function")
        return functions["RebalanceFunction"]["Environment"]["Variables"].get("TRIMTAB_LIVE")

    assert [flag("paper"), flag("live")] == [None, "yes"]


NAMED = {
    "Scheduler::Schedule": "Name",
    "Lambda::Function": "FunctionName",
    "Lambda::LayerVersion": "LayerName",
    "Logs::LogGroup": "LogGroupName",
    "CloudWatch::Alarm": "AlarmName",
    "CloudWatch::Dashboard": "DashboardName",
}
UNNAMED = {"RoleName", "BucketName", "QueueName", "TopicName"}
"""What CloudFormation names by itself, unlike any other."""


def test_two_stacks_share_no_name(made: Stack) -> None:
    """Paper and live stand side by side in one account: whatever has a name has the stack's in it."""
    for kind, key in NAMED.items():
        names = [properties[key] for properties in made.of_type(kind).values()]
        assert names, kind
        assert all("trimtab-paper" in name for name in names), names
    given = [set(resource.get("Properties", {})) for resource in made.resources.values()]
    assert not UNNAMED & set().union(*given)


def test_the_store_is_private_encrypted_versioned_and_kept() -> None:
    """Whatever becomes of the stack, the records stay; only TLS reaches them, and only the account."""
    found = stack()
    bucket, resource = found.of_type("S3::Bucket")["StoreBucket"], found.resources["StoreBucket"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    policy = found.of_type("S3::BucketPolicy")["StoreBucketPolicy"]["PolicyDocument"]["Statement"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in policy]
    assert {s["Effect"] for s in policy} == {"Deny"}
    assert all(set(s["Resource"]) == {"arn:StoreBucket", "arn:StoreBucket/*"} for s in policy)


def test_no_lifecycle_deletes_what_is_current() -> None:
    """Records are evidence: old versions go, old inputs move to where they are still read at once."""
    rules = stack().of_type("S3::Bucket")["StoreBucket"]["LifecycleConfiguration"]["Rules"]
    assert not [rule["Id"] for rule in rules if {"ExpirationInDays", "ExpirationDate"} & set(rule)]
    (moved,) = [rule for rule in rules if "Transitions" in rule]
    assert (moved["Prefix"], moved["ObjectSizeGreaterThan"]) == ("runs/", "131072")
    assert [step["StorageClass"] for step in moved["Transitions"]] == ["GLACIER_IR"]


def test_the_store_on_efs_is_private_encrypted_and_kept() -> None:
    """The function reaches it from a private subnet, and the broker through one NAT gateway."""
    found = stack({"Store": "efs"})
    assert found.resources["StoreFileSystem"]["DeletionPolicy"] == "Retain"
    assert found.of_type("EFS::FileSystem")["StoreFileSystem"]["Encrypted"] is True
    (point,) = found.of_type("EFS::AccessPoint").values()
    assert point["PosixUser"]["Uid"] != "0"
    (ingress,) = found.of_type("EC2::SecurityGroup")["StoreSecurityGroup"]["SecurityGroupIngress"]
    assert (ingress["FromPort"], ingress["SourceSecurityGroupId"]) == (2049, "RebalanceSecurityGroup.GroupId")
    function = found.of_type("Lambda::Function")["RebalanceFunction"]
    assert function["VpcConfig"]["SubnetIds"] == ["PrivateSubnet"]
    assert function["Environment"]["Variables"]["TRIMTAB_STORE__URL"] == "/mnt/trimtab"
    (mount,) = function["FileSystemConfigs"]
    assert mount["LocalMountPath"] == "/mnt/trimtab"
    assert list(found.of_type("EC2::NatGateway")) == ["NatGateway"]
    assert not [r for r in stack().resources.values() if r["Type"].startswith(("AWS::EC2", "AWS::EFS"))]


@pytest.mark.parametrize("queue", ["UndeliveredEvents", "FailedEvents"])
def test_dead_letters_are_encrypted_and_kept(queue: str) -> None:
    """For the fourteen days that SQS keeps anything."""
    assert stack().of_type("SQS::Queue")[queue] == {
        "SqsManagedSseEnabled": True,
        "MessageRetentionPeriod": 14 * 86_400,
    }


def test_logs_end_some_day_and_belong_to_their_function(made: Stack) -> None:
    """A log group without retention is kept for ever."""
    groups = made.of_type("Logs::LogGroup")
    assert {name: group["RetentionInDays"] for name, group in groups.items()} == dict.fromkeys(groups, "365")
    used = {f["LoggingConfig"]["LogGroup"] for f in made.of_type("Lambda::Function").values()}
    assert used == set(groups)


def test_every_check_that_is_skipped_says_why() -> None:
    """A skip of checkov's stands beside its resource, with its reason."""
    found = [
        skip
        for resource in raw()["Resources"].values()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert found
    assert all(re.fullmatch(r"CKV2?_AWS_\d+", skip["id"]) and len(skip["comment"]) > 30 for skip in found)


def test_the_template_knows_no_account() -> None:
    """No account, bucket or address of anybody's stands in template or settings."""
    for name in ("template.yaml", "samconfig.toml"):
        text = (ROOT / name).read_text()
        assert not re.search(r"\b\d{12}\b|hooks[.]slack|discord[.]com|AKIA", text), name
