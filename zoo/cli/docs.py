"""`zoo docs`: the site of every installed plugin."""

from __future__ import annotations

from pathlib import Path

import click

from zoo.errors import UsageError, ZooError


@click.group(
    "docs",
    epilog="""\b
Examples:
  zoo docs build            the site into the folder site
  zoo docs serve            the site on this machine, built again when a text changes
  zoo docs assets my-net    what the site needs of a network, into its package
  zoo docs figures last     the newest run's pictures, into the package of its network
""",
)
def command() -> None:
    """Make the site of every installed plugin, or what it shows of yours."""


@command.command(epilog="\b\nExamples:\n  zoo docs build -o public\n")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("site"),
    show_default=True,
    help="Folder of the site.",
)
def build(output: Path) -> None:
    """Build the site, a folder that opens from anywhere, and print where it begins.

    The folder must be new, empty or an earlier site: what it holds is replaced.
    """
    _mkdocs()
    _check_replaceable(output)
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    try:
        config = load_config(str(_settings()), site_dir=str(output.absolute()), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        build_site(config)
        config.plugins.on_shutdown()
    except MkDocsException as error:
        raise ZooError(f"The site can't be built: {error}") from error
    click.echo(output / "index.html")


@command.command(epilog="\b\nExamples:\n  zoo docs serve --port 8001\n")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port on this machine.")
def serve(port: int) -> None:
    """Show the site on this machine until Ctrl-C."""
    _mkdocs()
    from mkdocs.commands.serve import serve as serve_site

    serve_site(str(_settings()), dev_addr=f"127.0.0.1:{port}")


@command.command(epilog="\b\nExamples:\n  zoo docs assets\n  zoo docs assets my-net\n")
@click.argument("names", nargs=-1)
def assets(names: tuple[str, ...]) -> None:
    """Write what the site needs of networks and data sets into their packages, by default of all; print the files.

    For an architecture the layer graph; for a data set that may be passed on, samples, counts and the fingerprint.
    """
    from zoo.registry import Registry
    from zoo.site.assets import write

    known = {plugin.name for plugin in Registry.discover().plugins}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"There is no {', '.join(unknown)}. Installed: {', '.join(sorted(known))}")
    for path in write(names):
        click.echo(path)


@command.command(
    epilog="\b\nExamples:\n  zoo docs figures last\n  zoo docs figures cnn mnist\n"
    "  zoo docs figures vgg16 catsdogs --image my-cat.jpg\n"
)
@click.argument("run", nargs=-1, required=True)
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A picture of yours for the network to look at, where those of its data set may not be shown.",
)
def figures(run: tuple[str, ...], images: tuple[Path, ...]) -> None:
    """Take a finished RUN's pictures over into the package of its network, for the site; print the files.

    Where the licence of its images does not allow to pass them on, none is shown: the charts come from the run, and
    what the network sees is drawn of a free photograph, or of --image.
    """
    from zoo.runs.directory import resolve
    from zoo.site.assets import adopt

    for path in adopt(resolve(" ".join(run)), images):
        click.echo(path)


def _check_replaceable(folder: Path) -> None:
    """Raise UsageError for a folder of anything but an earlier site: MkDocs empties it."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--output must be a folder. Received: {folder}, which is a file")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "objects.inv").is_file():
        raise UsageError(
            f"--output must be a new folder, an empty one, or an earlier site: what it holds is removed. "
            f"Received: {folder}"
        )


def _settings() -> Path:
    import zoo

    return Path(zoo.__file__).parent / "site" / "mkdocs.yml"


def _mkdocs() -> None:
    """Import MkDocs, or say how to install it."""
    try:
        import material  # noqa: F401
        import mkdocs  # noqa: F401
        import mkdocstrings  # noqa: F401
    except ImportError as error:
        raise ZooError(
            f"The site needs MkDocs and its theme, which are not installed ({error.name}): "
            "pip install 'image-model-zoo[docs]'"
        ) from error
