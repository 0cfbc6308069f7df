"""Where things lie: everything that is made on this machine is below `.local/` in the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
BIGQUERY_VENV = LOCAL / "bigquery-venv"
SPARK_VENV = LOCAL / "spark-venv"
ELASTICSEARCH = LOCAL / "elasticsearch"
DEFAULT_HOME = LOCAL / "demo"
