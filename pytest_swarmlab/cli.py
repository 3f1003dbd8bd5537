"""The command `swarmlab`."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pytest_swarmlab import __version__
from pytest_swarmlab.config import default_cache
from pytest_swarmlab.errors import ConfigError, SwarmlabError
from pytest_swarmlab.text import inert


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns 0 for success, 1 for something that failed or lacks, 2 for an
    error. `lab` returns pytest's exit code. `lab` and `mark` pass arguments after ``--`` to pytest.
    """
    parser, commands = _parser()
    words = list(sys.argv[1:] if argv is None else argv)
    own = words[: words.index("--")] if "--" in words else words
    arguments, unknown = parser.parse_known_args(own)
    if arguments.command is None:
        if unknown:
            parser.error(f"unrecognized arguments: {shlex.join(unknown)}")
        parser.print_help(sys.stderr)
        return 2
    passes_on = arguments.command in ("lab", "mark")
    if unknown:
        hint = f": pytest's own stand after --, as in `… -- {unknown[0]}`" if passes_on else ""
        commands[arguments.command].error(f"unrecognized arguments: {shlex.join(unknown)}{hint}")
    arguments.further = words[len(own) + 1 :]
    if arguments.further and not passes_on:
        parser.error(f"{arguments.command} takes no arguments after --")
    if arguments.command == "mark" and (odd := _needless(arguments)):
        commands["mark"].error(odd)
    try:
        code: int = arguments.run(arguments)
    except SwarmlabError as error:
        sys.stderr.write(f"swarmlab: {inert(str(error))}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("swarmlab: interrupted\n")
        return 128 + signal.SIGINT
    return code


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser of the command, and that of each subcommand."""
    parser = argparse.ArgumentParser(
        prog="swarmlab", description="Clusters, disks and records of pytest-swarmlab."
    )
    parser.add_argument("--version", action="version", version=f"pytest-swarmlab {__version__}")
    cache = default_cache()
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", default=cache,
        help=f"directory of node disks and kernels ({cache})".replace("%", "%%"),
    )  # fmt: skip
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands (more with `swarmlab COMMAND --help`)"
    )

    def command(
        name: str,
        run: Callable[[argparse.Namespace], int],
        meaning: str,
        *,
        usage: str | None = None,
        after: str | None = None,
    ) -> argparse.ArgumentParser:
        about = f"{meaning[0].upper()}{meaning[1:]}."
        made = subparsers.add_parser(
            name, help=meaning, description=about, usage=usage, epilog=after
        )
        made.set_defaults(run=run)
        return made

    command("doctor", _doctor, "tell what this machine can and cannot prove")
    disk = command("disk", _disk, "build the node disk, unless the cache is up to date")
    disk.add_argument(
        "--images", choices=("stand-in", "registry"), default="stand-in",
        help="container images on it: built from Debian packages (the default), or a registry's",
    )  # fmt: skip
    command(
        "kernel", _kernel,
        "build the faster kernel of embedded machines, unless the cache is up to date",
    )  # fmt: skip
    command("image", _image, "build the node image for containers, unless the Docker engine has it")
    gc = command("gc", _gc, "remove the clusters of killed runs")
    gc.add_argument("--kept", action="store_true", help="also remove clusters kept on purpose")
    gc.add_argument(
        "--disks", action="store_true", help="also remove node disks and kernels of old recipes"
    )
    lab = command(
        "lab", _lab, "run the lab's exercises, such as 2.2, or all of them",
        usage="swarmlab lab [NUMBER ...] [--provider NAME] [-- PYTEST'S ARGUMENTS]",
        after="The report is reports/latest/report.html. The exit code is pytest's; 2 for a wrong"
        " number, 6 if only the lab itself failed.",
    )  # fmt: skip
    lab.add_argument("numbers", nargs="*", metavar="NUMBER", help="an exercise, 2.1 to 2.10")
    lab.add_argument(
        "--provider", metavar="NAME",
        help="provider of the nodes: auto, uml, dind, vagrant or inventory; uml if unset",
    )  # fmt: skip
    survey = command(
        "survey", _survey,
        "list what runs on an existing cluster and what is odd, without changing it",
    )  # fmt: skip
    which = survey.add_mutually_exclusive_group()
    which.add_argument("--inventory", metavar="FILE", help="the file that lists your cluster")
    which.add_argument(
        "--reuse", metavar="ID", nargs="?", const="", help="a cluster that a run has kept"
    )
    survey.add_argument("--reports", metavar="DIR", help="directory of the record (reports)")
    judge = command("judge", _judge, "judge a saved run again, from its record alone")
    judge.add_argument(
        "run_directory", type=Path, metavar="DIR", help="the run's, such as reports/latest"
    )
    _add_exercises(judge)
    new = command(
        "new-submission", _new_submission,
        "write an empty submission with a place for every deliverable",
    )  # fmt: skip
    new.add_argument("directory", type=Path, metavar="DIR", help="a new directory")
    check = command("check", _check, "list what a submission lacks; needs no cluster")
    check.add_argument("directory", type=Path, metavar="DIR", help="the submission's directory")
    mark = command(
        "mark", _mark, "mark a submission: on a new cluster, on your cluster, or by a saved run",
        usage="swarmlab mark [DIR] [--inventory FILE | --record DIR] [... -- PYTEST'S ARGUMENTS]",
        after="Results are in the run's directory, in mark/. Exit codes: 0, every point was earned;"
        " 1, some were lost; 6, none was lost and some are ungraded; 2, nothing was marked.",
    )  # fmt: skip
    mark.add_argument(
        "submission", type=Path, nargs="?", metavar="DIR", help="the submission's directory"
    )
    looked_at = mark.add_mutually_exclusive_group()
    looked_at.add_argument(
        "--record", type=Path, metavar="DIR", help="mark the finished run of DIR"
    )
    looked_at.add_argument("--inventory", metavar="FILE", help="mark the cluster that FILE lists")
    mark.add_argument(
        "--allow-destructive",
        action="store_true",
        help="run the drills on the inventory's cluster, which inject faults and heal them",
    )
    _add_exercises(mark)
    mark.add_argument("--rubric", type=Path, metavar="FILE", help="use FILE, not the lab's rubric")
    mark.add_argument(
        "--handed-in", type=_moment, metavar="TIME",
        help="for a rubric that has a deadline: such as 2026-12-18T23:59+01:00",
    )  # fmt: skip
    table = command(
        "table", _table, "make a table of proven exercises by provider, from several results.json"
    )
    table.add_argument(
        "results", type=Path, nargs="+", metavar="FILE", help="the results.json of a run"
    )
    return parser, subparsers.choices


def _needless(arguments: argparse.Namespace) -> str | None:
    """Why these arguments of `mark` do not go together; None if they do."""
    if arguments.allow_destructive and arguments.inventory is None:
        return "--allow-destructive permits changes on an existing cluster: name it by --inventory"
    if arguments.record is not None and arguments.further:
        return "with --record no test is run, so leave out pytest's arguments"
    return None


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: processes that it started are ended and removed."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _doctor(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markup import escape

    from pytest_swarmlab.doctor import examine

    console = Console(highlight=False, soft_wrap=True)
    well = True
    for finding in examine(arguments.cache):
        mark = "[green]yes[/]" if finding.well else "[red]no [/]"
        if finding.well and not finding.there:
            mark = "–  "
        console.print(f"{mark}  {escape(finding.what)}: {escape(finding.seen)}")
        if not finding.well and finding.remedy:
            console.print(f"     → {escape(finding.remedy)}")
        well = well and finding.well
    return 0 if well else 1


def _disk(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images import build_at_terminal

    with _ended_in_order():
        disk = build_at_terminal(arguments.cache, origin=arguments.images)
    sys.stdout.write(f"node disk {disk.key}: {disk.used / 2**20:.0f} MiB in {disk.path}\n")
    return 0


def _kernel(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images import build_kernel_at_terminal

    with _ended_in_order():
        kernel = build_kernel_at_terminal(arguments.cache)
    sys.stdout.write(f"{kernel} in {kernel.path}\n")
    return 0


def _image(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.images.container import build_image_at_terminal
    from pytest_swarmlab.providers.dind import engine

    with _ended_in_order():
        image = build_image_at_terminal(engine.connect(), arguments.cache)
    sys.stdout.write(f"node image {image.reference}\n")
    return 0


def _gc(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.leftovers import remove

    remove(arguments.cache, kept=arguments.kept, disks=arguments.disks, out=sys.stdout)
    return 0


def _survey(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.visit import visit

    return visit(
        inventory=arguments.inventory,
        reuse=arguments.reuse,
        reports=arguments.reports,
        cache=arguments.cache,
        out=sys.stdout,
    )


def _lab(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.lab.command import run

    further = [f"--swarmlab-cache={arguments.cache}"]
    if arguments.provider:
        further.append(f"--swarmlab-provider={arguments.provider}")
    return run(arguments.numbers, [*further, *arguments.further])


def _judge(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.evidence import merging
    from pytest_swarmlab.judging.again import judge_again
    from pytest_swarmlab.judging.catalogue import Catalogue
    from pytest_swarmlab.reporting.account import told

    record = merging.whole(arguments.run_directory)
    catalogue = Catalogue(arguments.exercises)
    code = judge_again(arguments.run_directory, record, catalogue, sys.stdout)
    sys.stdout.write(told(record))
    return code


def _new_submission(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.marking import new_submission

    places = new_submission.write(arguments.directory)
    sys.stdout.write(f"{len(places)} files in {arguments.directory}; to list what it lacks, run\n")
    sys.stdout.write(f"  {shlex.join(['swarmlab', 'check', str(arguments.directory)])}\n")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.marking import completeness

    found = completeness.look(arguments.directory)
    for lack in found.lacks:
        sys.stdout.write(
            f"{'missing' if lack.missing else 'unusable':8}  {lack.where}: {lack.why}\n"
        )
    (there, of), (answered, questions) = found.deliverables, found.answers
    sys.stdout.write(
        f"{there} of {of} deliverables exist, {answered} of {questions} questions are answered\n"
    )
    return 1 if found.lacks else 0


def _add_exercises(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exercises",
        metavar="MODULE",
        action="append",
        default=[],
        help="a module of yours that declares exercises",
    )


def _mark(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.judging.catalogue import Catalogue
    from pytest_swarmlab.marking import combining
    from pytest_swarmlab.reporting.mark_again import mark_again

    # Before the drills, which take twenty minutes.
    chosen = combining.load(arguments.rubric)
    catalogue = Catalogue(arguments.exercises)
    return mark_again(
        arguments.record or _drilled(arguments),
        sys.stdout,
        catalogue=catalogue,
        chosen=chosen,
        submission=arguments.submission,
        handed_in=arguments.handed_in,
    )


def _drilled(arguments: argparse.Namespace) -> Path:
    """The directory of the new run that performed the drills."""
    from pytest_swarmlab.lab.command import drill

    if arguments.submission is None and arguments.inventory is None:
        raise ConfigError(
            "there is nothing to mark: name a submission's directory, a cluster's file with"
            " --inventory, or a finished run with --record"
        )
    further = [f"--swarmlab-cache={arguments.cache}"]
    if arguments.inventory is not None:
        further += [
            "--swarmlab-provider=inventory",
            f"--swarmlab-inventory={arguments.inventory}",
            *(["--swarmlab-allow-destructive"] if arguments.allow_destructive else []),
        ]
    return drill(arguments.submission, [*further, *arguments.further])


def _moment(text: str) -> datetime:
    written = "write it as 2026-12-18T23:59+01:00"
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: {written}") from error
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no zone: {written}")
    return found


def _table(arguments: argparse.Namespace) -> int:
    from pytest_swarmlab.reporting.table import Run, markdown

    sys.stdout.write(markdown([Run.load(path) for path in arguments.results]))
    return 0
