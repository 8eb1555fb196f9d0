"""What MkDocs calls: generated pages join the written ones before the files are collected, and the menu is made."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

from zoo.site import build


def on_config(config: Any) -> Any:
    """Make the menu, and tell mkdocstrings where `zoo` lies."""
    site = build.Site.discover(config.extra.get("distribution"))
    config.nav = site.navigation(config.config_file_path, config.docs_dir)
    config.plugins["mkdocstrings"].config["handlers"]["python"]["paths"] = [str(build.PACKAGE.parent)]
    config.copyright = build.footer()
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what is generated: pages, committed pictures, drawings; and a checkout's guides of docs/guide."""
    site = build.Site.discover(config.extra.get("distribution"))
    for path, content in site.contents().items():
        files.append(File.generated(config, path, content=content))
    for path, source in {**site.pictures(), **build.guides(config.config_file_path)}.items():
        files.append(File.generated(config, path, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Put drawings where a written page asks for them."""
    del page, config, files
    return build.with_drawings(markdown)
