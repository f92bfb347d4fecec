"""The texts of the files that TensorFlow Serving and its container need."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from keras_explainer.serving.served_model import ServedModel
from keras_explainer.serving.server_settings import ServerSettings

_HEALTH = (
    "for model in {names}; do exec 3<>/dev/tcp/127.0.0.1/8501 || exit 1; printf "
    "'GET /v1/models/%s HTTP/1.1\\r\\nHost: localhost\\r\\n"
    "Connection: close\\r\\n\\r\\n' "
    '"$model" >&3; grep -q \'"AVAILABLE"\' <&3 || exit 1; done'
)


def models_config(models: Sequence[ServedModel]) -> str:
    """A `ModelServerConfig` in protobuf's text form."""
    return "model_config_list {\n" + "".join(map(_model, models)) + "}\n"


def batching_config(settings: ServerSettings) -> str:
    """A `BatchingParameters` in protobuf's text form."""
    threads = max(1, int(settings.cpus))
    return (
        "# A request with more images than this is refused.\n"
        f"max_batch_size {{ value: {settings.max_batch_size} }}\n"
        f"batch_timeout_micros {{ value: {round(settings.batch_timeout_ms * 1000)} }}\n"
        "# Requests that wait; further ones are refused, and clients try again.\n"
        "max_enqueued_batches { value: 100 }\n"
        f"num_batch_threads {{ value: {threads} }}\n"
        "# Images of another size must not be filled up: they would be other images.\n"
        "pad_variable_length_inputs: false\n"
    )


def monitoring_config() -> str:
    """A `MonitoringConfig` in protobuf's text form."""
    return (
        "prometheus_config {\n"
        "  enable: true\n"
        '  path: "/monitoring/prometheus/metrics"\n'
        "}\n"
    )


def compose_file(
    models: Sequence[ServedModel], settings: ServerSettings, folder: Path
) -> str:
    """A file for `docker compose`.

    Args:
        models: Mounted read-only, by paths relative to `folder`.
        settings: See there.
        folder: Where the file will be; the configuration is in `config` beside it.
    """
    command = [
        "--model_config_file=/config/models.config",
        # What is changed in models.config is taken up without a restart.
        "--model_config_file_poll_wait_seconds=30",
        "--rest_api_timeout_in_ms=60000",
    ]
    if settings.max_batch_size:
        command.append("--enable_batching=true")
        command.append("--batching_parameters_file=/config/batching.config")
    if settings.monitoring:
        command.append("--monitoring_config_file=/config/monitoring.config")
    if any(model.labels for model in models):
        # When the server starts no version is loaded yet.
        command.append("--allow_version_labels_for_unavailable_models=true")
    mounts = [_mount("./config", "/config")] + [
        _mount(_relative(model.path, folder), f"/models/{model.name}")
        for model in models
    ]
    health = _HEALTH.format(names=" ".join(model.name for model in models))
    service: dict[str, Any] = {
        "image": settings.image,
        "command": command,
        "volumes": mounts,
        "user": settings.user,
        "read_only": True,
        "tmpfs": ["/tmp:size=64m"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
        "healthcheck": {
            "test": ["CMD", "bash", "-c", health],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": "60s",
        },
        "deploy": {
            "resources": {
                "limits": {
                    "cpus": f"{settings.cpus:g}",
                    "memory": settings.memory,
                    "pids": 512,
                }
            }
        },
        "logging": {
            "driver": "json-file",
            "options": {"max-size": "10m", "max-file": "3"},
        },
    }
    content: dict[str, Any] = {"services": {"serving": service}}
    if settings.publish:
        service["ports"] = [
            f"127.0.0.1:{settings.grpc_port}:8500",
            f"127.0.0.1:{settings.rest_port}:8501",
        ]
    else:
        service["networks"] = ["explainers"]
        # Without a way out: nothing in it can be reached from, or reach, elsewhere.
        content["networks"] = {"explainers": {"internal": True}}
    text = yaml.safe_dump(_escaped(content), sort_keys=False, width=1000)
    return (
        "# Written by `keras-explainer serve-config`. Start: docker compose up --wait\n"
        "# TensorFlow Serving knows no users: whoever reaches its ports may ask.\n"
        f"{text}"
    )


def _model(model: ServedModel) -> str:
    lines = [f'name: "{model.name}"', f'base_path: "/models/{model.name}"']
    lines.append('model_platform: "tensorflow"')
    if model.versions:
        inner = " ".join(f"versions: {version}" for version in model.versions)
        policy = f"specific {{ {inner} }}"
    else:
        policy = f"latest {{ num_versions: {model.latest} }}"
    lines.append(f"model_version_policy {{ {policy} }}")
    lines += [
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in sorted(model.labels.items())
    ]
    return "  config {\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"


def _mount(source: str, target: str) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": source,
        "target": target,
        "read_only": True,
        "bind": {"create_host_path": False},
    }


def _relative(path: Path, folder: Path) -> str:
    try:
        found = os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # another drive
        return path.resolve().as_posix()
    found = Path(found).as_posix()
    return found if found.startswith("..") else f"./{found}"


def _escaped(value: Any) -> Any:
    """`docker compose` replaces `$name`; `$$` is a plain `$`."""
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
