# shellcheck shell=bash
# Lays out the folders that Cloud Build gets. Sourced after lib.sh; each function prints its folder.

copy_package() { # FROM TO: sources alone
  mkdir -p "$2"
  (cd "$1" && find . -type d -name __pycache__ -prune -o -type f -print0) |
    while IFS= read -r -d '' file; do
      mkdir -p "$2/$(dirname "$file")"
      cp "$1/$file" "$2/$file"
    done
}

# The board's chart library is not in the repository: it is made out of a package, which is fetched
# at the lock's version where this machine's Python lacks it.
build_board() {
  local python=${ENCORE_PYTHON:-python3} packages=$BUILD/packages
  if ! "$python" -c 'import vl_convert' 2>/dev/null; then
    "$python" -m pip install --quiet --target="$packages" --upgrade \
      "$(grep -o '^vl-convert-python==[^ ]*' "$ROOT/requirements.txt")" >&2
  fi
  (cd "$ROOT" && PYTHONPATH=$packages "$python" -m functions.board.build) >&2
}

# A function's folder: main.py and every module of ours that it imports.
stage_function() {
  local folder=$BUILD/functions/$1
  if [[ $1 == board && ! $DRY_RUN ]]; then build_board; fi
  rm -rf "$folder"
  mkdir -p "$folder"
  (cd "$ROOT" && "${ENCORE_PYTHON:-python3}" -m functions.stage "$1" "$folder") >/dev/null
  printf '%s\n' "$folder"
}

# The image's folder. Its packages are the sections `pipeline` and `training` of requirements.in,
# held at the versions of the lock.
stage_image() {
  local folder=$BUILD/image
  rm -rf "$folder"
  mkdir -p "$folder/infra/dataflow"
  cp "$INFRA/dataflow/Dockerfile" "$folder/"
  awk '/^# /{ wanted = ($0 == "# pipeline" || $0 == "# training") } wanted && /==/' \
    "$ROOT/requirements.in" >"$folder/requirements.in"
  cp "$ROOT/requirements.txt" "$folder/constraints.txt"
  copy_package "$ROOT/beam_pipeline" "$folder/beam_pipeline"
  copy_package "$INFRA/elasticsearch" "$folder/infra/elasticsearch"
  if [[ -d $ROOT/bigquery ]]; then copy_package "$ROOT/bigquery" "$folder/bigquery"; fi
  cp "$INFRA/__init__.py" "$folder/infra/"
  cp "$INFRA"/dataflow/*.py "$folder/infra/dataflow/"
  printf '%s\n' "$folder"
}
