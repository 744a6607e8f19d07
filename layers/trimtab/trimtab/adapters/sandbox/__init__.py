"""Sandbox: Alpaca's HTTP face on the simulated exchange."""

from trimtab.adapters.sandbox.face import Face
from trimtab.adapters.sandbox.server import Sandbox, serve
from trimtab.adapters.sandbox.transport import SandboxTransport

__all__ = ["Face", "Sandbox", "SandboxTransport", "serve"]
