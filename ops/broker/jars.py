"""Kafka's jars and the Java that runs them: found or resolved by Maven, or one sentence with the remedy."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from schemas.errors import Code, Misconfigured

POM = Path(__file__).with_name("pom.xml")
LEAST_JAVA = 17
JAVA_REMEDY = "install it with: apt-get install default-jre-headless"
MAVEN_REMEDY = "install it with: apt-get install maven"
MAVEN_SECONDS = 900


def cache_folder() -> Path:
    """Where jars are kept: SZTAB_CACHE, else the virtual environment's share folder, else the user's cache."""
    if given := os.environ.get("SZTAB_CACHE"):
        return Path(given).absolute()
    if sys.prefix != sys.base_prefix:
        return Path(sys.prefix, "share", "sztab")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "sztab").absolute()


def resolve() -> Path:
    """The folder with the jars of exactly this pom.xml; Maven fetches them the first time (44 MB).

    Called by `make setup` and before a broker starts. Raises Misconfigured where Maven is missing or fails.
    """
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"kafka-{digest}"
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise Misconfigured(Code.TOOL_MISSING, f"Maven (mvn) is missing, it fetches Kafka's jars; {MAVEN_REMEDY}")
    java()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
        fetched = Path(scratch, "jars")
        _run_maven(fetched)
        try:
            fetched.rename(folder)  # whole or not at all, also when two fetch at once
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _run_maven(target: Path) -> None:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    # -f needs a folder that it may write to; the installed package may be read-only, so the pom is copied.
    pom = shutil.copy(POM, target.parent / "pom.xml")
    try:
        done = subprocess.run(
            ["mvn", "--quiet", "--batch-mode", "--file", pom, *goal],
            capture_output=True,
            text=True,
            timeout=MAVEN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Misconfigured(
            Code.TOOL_MISSING,
            f"Maven did not fetch Kafka's jars within {MAVEN_SECONDS} s; is its repository reachable?",
        ) from None
    if done.returncode or not any(target.glob("kafka_*.jar")):
        said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
        reason = said[0][:300] if said else f"exit status {done.returncode}"
        raise Misconfigured(Code.TOOL_MISSING, f"Maven could not fetch Kafka's jars: {reason}")


def java() -> str:
    """The path of a Java runtime that Kafka 4 accepts (17 or later); Misconfigured with the remedy otherwise."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if found is None:
        raise Misconfigured(
            Code.TOOL_MISSING, f"a Java runtime (17 or later) is missing, Kafka needs it; {JAVA_REMEDY}"
        )
    told = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < LEAST_JAVA:
        which = version[1] if version else "of unknown version"
        raise Misconfigured(
            Code.TOOL_MISSING, f"Java {which} was found, Kafka needs {LEAST_JAVA} or later; {JAVA_REMEDY}"
        )
    return found
