"""The commands to try things out with: sandbox, demo.

Guarantees: as those of the package.
"""

from __future__ import annotations

import click

from invoice_watcher.config import duration
from invoice_watcher.errors import ExitStatus
from invoice_watcher.sandbox import explain
from invoice_watcher.sandbox import serve as serve_sandbox


class Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.4 on
    """A duration on the command line, written as in the configuration."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it; a usage error says what is wrong with it."""
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(epilog="\b\n" + explain())
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8025, show_default=True, help="0 takes a free one.")
@click.option("--api-code", metavar="GUID", help="The only API code to accept; without it, every GUID is.")
@click.option("--latency", type=Seconds(), default="0", help="Wait so long before every answer: 500ms, 2s.")
@click.option("--fail", type=click.IntRange(400, 599), metavar="STATUS", help="Answer every upload with this status.")
@click.option("--fail-for", type=Seconds(), help="Fail only for so long, then answer as usual.")
def sandbox(  # noqa: PLR0913 - one for each option
    *, host: str, port: int, api_code: str | None, latency: float, fail: int | None, fail_for: float | None
) -> int:
    """Serve a local stand-in for the API, to try things out without an API code.

    What an order is answered depends on its id alone:
    """
    try:
        serve_sandbox(
            host=host,
            port=port,
            api_code=api_code,
            latency=latency,
            fail=fail,
            fail_for=fail_for,
            on_ready=lambda base_url: click.echo(f"api.base_url: {base_url}"),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return ExitStatus.OK


@click.command()
def demo() -> int:
    """Show the whole thing on a temporary folder and the local sandbox, in under 30 s."""
    from invoice_watcher.demo import show  # noqa: PLC0415 - only this command pays for rich's live display

    return show()
