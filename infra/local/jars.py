"""Elasticsearch's jars: resolved as Maven artifacts, checked by sha256, laid out as a home folder.

No distribution archive is published where a package client reaches it, but the jars are. jgo
verifies no checksums itself, so `elasticsearch.sha256`, committed beside this file, names every
jar and its hash, and nothing is run that does not match.
"""

import hashlib
import shutil
import zipfile
from pathlib import Path

from infra.local.environments import say, setup_lock
from infra.local.errors import SetupFailed
from infra.local.paths import ELASTICSEARCH

VERSION = "8.19.21"
ARTIFACTS = (
    f"org.elasticsearch:elasticsearch:{VERSION}",
    f"org.elasticsearch.plugin:transport-netty4:{VERSION}",
)
CHECKSUMS = Path(__file__).parent / "elasticsearch.sha256"
PLUGIN = "transport-netty4"
DESCRIPTOR = "plugin-descriptor.properties"


def elasticsearch_home(home: Path = ELASTICSEARCH) -> Path:
    """Return a folder with `lib/` and `modules/`, every jar checked; fetch what is missing.

    Raises SetupFailed when the jars cannot be had or one is not what `elasticsearch.sha256` says.
    """
    wanted = read_checksums(CHECKSUMS)
    with setup_lock():
        if not _is_laid_out(home):
            say(f"Fetching Elasticsearch {VERSION} ({len(wanted)} jars, once) …")
            _fetch(home, wanted)
        verify(jars_of(home), wanted)
    return home


def read_checksums(file: Path) -> dict[str, str]:
    """File name of a jar → its sha256, from a list as `sha256sum` writes it."""
    pairs = (line.split() for line in file.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def verify(jars: list[Path], wanted: dict[str, str]) -> None:
    """Raise SetupFailed unless the jars are exactly the listed ones, byte for byte."""
    have = {jar.name: jar for jar in jars}
    for name in sorted(wanted.keys() | have.keys()):
        if name not in have:
            problem = f"{name} is missing"
        elif name not in wanted:
            problem = f"{name} is not on the list"
        elif hashlib.sha256(have[name].read_bytes()).hexdigest() != wanted[name]:
            problem = f"{name} has another sha256"
        else:
            continue
        raise SetupFailed(
            f"Elasticsearch's jars do not match {CHECKSUMS.name} ({problem}):"
            " remove .local/elasticsearch and set up again."
        )


def jars_of(home: Path) -> list[Path]:
    """Every jar of a home folder: the node's own and the transport module's."""
    return sorted([*(home / "lib").glob("*.jar"), *(home / "modules" / PLUGIN).glob("*.jar")])


def _is_laid_out(home: Path) -> bool:
    return (home / "modules" / PLUGIN / DESCRIPTOR).is_file()


def _fetch(home: Path, wanted: dict[str, str]) -> None:
    """Resolve and download into `home`; the descriptor, written last, marks the layout whole."""
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext
    from requests import RequestException

    shutil.rmtree(home, ignore_errors=True)
    context = MavenContext(repo_cache=home / "m2", timeout=120)
    try:
        resolved = EnvironmentBuilder(context=context, cache_dir=home / "jgo").from_endpoint(
            "+".join(ARTIFACTS)
        )
        jars = [Path(jar) for jar in resolved.all_jars]
    except (RequestException, RuntimeError, ValueError, OSError) as error:
        raise SetupFailed(f"Elasticsearch's jars could not be fetched: {error}") from error
    verify(jars, wanted)
    lib, module = home / "lib", home / "modules" / PLUGIN
    for folder in (lib, module, home / "plugins"):
        folder.mkdir(parents=True)
    for jar in jars:
        shutil.copy(jar, module if jar.name.startswith(PLUGIN) else lib)
    _write_descriptor(next(module.glob("*.jar")), module / DESCRIPTOR)
    shutil.rmtree(home / "m2")
    shutil.rmtree(home / "jgo")


def _write_descriptor(plugin: Path, target: Path) -> None:
    """The plugin's own descriptor, less its module name: our node runs on the class path."""
    with zipfile.ZipFile(plugin) as jar:
        text = jar.read(f"META-INF/es-plugins/{PLUGIN}/{DESCRIPTOR}").decode()
    lines = [line for line in text.splitlines() if not line.startswith("modulename=")]
    target.write_text("\n".join(lines) + "\n")
