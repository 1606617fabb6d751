"""The container file and the systemd unit: read as their tools read them, for what a safe service must have."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[3] / "deploy"


def instructions():
    """(name, arguments) of the container file, lines that go on joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf8")
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def test_the_container_runs_as_an_ordinary_user_and_writes_nothing():
    found = instructions()
    known = {"FROM", "ARG", "COPY", "RUN", "ENV", "USER", "WORKDIR", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert found[0][0] == "FROM" and {name for name, _ in found} <= known | {"ENTRYPOINT"}
    assert ":" in found[0][1].rpartition("/")[2] and "latest" not in found[0][1]
    names = [name for name, _ in found]
    uid = dict(found)["USER"].partition(":")[0]
    assert uid.isdecimal() and int(uid) >= 1000 and f"--uid {uid}" in dict(found)["RUN"]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert "PYTHONDONTWRITEBYTECODE=1" in dict(found)["ENV"] and dict(found)["STOPSIGNAL"] == "SIGTERM"
    assert "--constraint" in dict(found)["RUN"] and dict(found)["ENTRYPOINT"].startswith('["openmie", "serve"')
    assert not re.search(r"token\s*=|secret\s*=|curl |wget |sudo|chmod 777", str(found), re.IGNORECASE)
    root = DEPLOY.parent
    for sources in (arguments.split()[:-1] for name, arguments in found if name == "COPY"):
        assert all((root / source).exists() for source in sources)
    run = (DEPLOY / "Containerfile").read_text(encoding="utf8")
    assert all(option in run for option in ("--read-only", "--cap-drop ALL", "no-new-privileges", "127.0.0.1:8000"))


def unit():
    lines = (DEPLOY / "openmie.service").read_text(encoding="utf8").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if line and line[0] not in "#["]


def test_the_unit_gives_the_service_no_more_than_it_needs():
    found = unit()
    settings = dict(found)
    for name in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictNamespaces"):
        assert settings[name] == "yes"
    assert settings["ProtectSystem"] == "strict" and settings["CapabilityBoundingSet"] == ""
    assert settings["IPAddressDeny"] == "any" and settings["IPAddressAllow"] == "localhost"
    assert (
        settings["LoadCredential"].startswith("tokens:")
        and "--token-file ${CREDENTIALS_DIRECTORY}/tokens" in (settings["ExecStart"])
    )
    assert int(settings["TimeoutStopSec"]) > 120 + 10  # a post's timeout, and the server's grace


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_reads_the_unit_without_a_word(tmp_path):
    """A dry run of the parser: unknown or wrong settings are warnings of `systemd-analyze verify`."""
    text = (DEPLOY / "openmie.service").read_text(encoding="utf8")
    file = tmp_path / "openmie.service"
    file.write_text(text.replace("/opt/openmie/bin/openmie", sys.executable), encoding="utf8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "openmie.service" in line]
    assert done.returncode == 0 and not said, said
