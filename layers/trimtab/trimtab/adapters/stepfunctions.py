"""Step Functions: a state machine that is started, followed and stopped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trimtab.adapters.aws import client, demand_library
from trimtab.errors import Halted, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Progress", "StateMachine"]

MACHINE = "arn:aws:states:<region>:<account>:stateMachine:<name>"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an execution is: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED, and what failed it."""

    status: str
    error: str = ""


class StateMachine:
    """A state machine by its ARN.

    Raises:
        Misconfigured: it is no ARN, or what speaks to AWS is not installed.
    """

    def __init__(self, arn: str) -> None:
        parts = arn.split(":")
        if len(parts) != len(MACHINE.split(":")) or parts[2] != "states" or parts[5] != "stateMachine":
            raise Misconfigured("machine", "that is no state machine", seen=arn, allowed=MACHINE)
        demand_library("a state machine is AWS's", "--on here")
        self._arn = arn

    def start(self, name: str, document: str) -> str:
        """Start an execution, and give its ARN; one of this name that runs with this input is given instead.

        Raises:
            Halted: AWS refuses, or one of this name has ended already.
        """
        answer = self._ask("start_execution", stateMachineArn=self._arn, name=name, input=document)
        return str(answer["executionArn"])

    def progress(self, execution: str) -> Progress:
        """Say where an execution is.

        Raises:
            Halted: AWS refuses.
        """
        answer = self._ask("describe_execution", executionArn=execution)
        told = " ".join(str(answer[name]) for name in ("error", "cause") if answer.get(name))
        return Progress(str(answer["status"]), told)

    def stop(self, execution: str) -> None:
        """Stop an execution; what its functions play at this moment, they finish.

        Raises:
            Halted: AWS refuses.
        """
        self._ask("stop_execution", executionArn=execution)

    def _ask(self, operation: str, **more: object) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - demanded by __init__

        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**more)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            raise _refused(operation, code, self._arn) from None
        except BotoCoreError as error:
            raise _refused(operation, type(error).__name__, self._arn) from None
        return answer

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - botocore makes it of a description
        return client("stepfunctions")


def _refused(operation: str, code: str, arn: str) -> Halted:
    hints = {
        "ExecutionAlreadyExists": "it has run: the same command gathers what it left",
        "StateMachineDoesNotExist": "deploy it: docs/sweep.md says how",
        "AccessDeniedException": "allow states:StartExecution, DescribeExecution and StopExecution on it",
        "NoCredentialsError": "give credentials where every AWS tool finds them: role, profile, environment",
    }
    hint = hints.get(code, "check the network and the state machine, and run again")
    return Halted("step_functions", f"{operation.replace('_', ' ')}: {code}", seen=arn, hint=hint)
