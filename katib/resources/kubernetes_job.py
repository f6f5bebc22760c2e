"""The fields of a Kubernetes ``batch/v1`` Job, down to its containers: enough to find misspelt ones in a template.

Text is text here: unlike Katib's own fields, numbers are refused where Kubernetes would refuse them. Deeper parts
(probes, affinity, sources of volumes) are not looked into.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from katib.resources.shared_types import Model, ObjectMeta, Tree

_PLACEHOLDER = "${trialParameters."


def _placeholder_as_number(value: Any) -> Any:
    """A placeholder in the place of a number may become one when it is replaced."""
    return 0 if isinstance(value, str) and _PLACEHOLDER in value else value


Number = Annotated[int, BeforeValidator(_placeholder_as_number)]


class EnvSource(Model):
    """Where a variable's value comes from."""

    field_ref: Tree | None = None
    resource_field_ref: Tree | None = None
    config_map_key_ref: Tree | None = None
    secret_key_ref: Tree | None = None
    file_key_ref: Tree | None = None


class EnvVariable(Model):
    """An environment variable."""

    name: str | None = None
    value: str | None = None
    value_from: EnvSource | None = None


class EnvFrom(Model):
    """Environment variables out of a ConfigMap or Secret."""

    prefix: str | None = None
    config_map_ref: Tree | None = None
    secret_ref: Tree | None = None


class ContainerPort(Model):
    """A port that a container opens."""

    name: str | None = None
    container_port: Number | None = None
    host_port: Number | None = None
    host_ip: str | None = Field(default=None, alias="hostIP")
    protocol: str | None = None


class Resources(Model):
    """What a container asks for; quantities are numbers or text."""

    limits: Tree | None = None
    requests: Tree | None = None
    claims: list[Any] | None = None


class VolumeMount(Model):
    """Where a volume appears in a container."""

    name: str | None = None
    mount_path: str | None = None
    read_only: bool | None = None
    recursive_read_only: str | None = None
    sub_path: str | None = None
    sub_path_expr: str | None = None
    mount_propagation: str | None = None


class Container(Model):
    """One container of a pod."""

    name: str | None = None
    image: str | None = None
    image_pull_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    working_dir: str | None = None
    env: list[EnvVariable] | None = None
    env_from: list[EnvFrom] | None = None
    ports: list[ContainerPort] | None = None
    resources: Resources | None = None
    resize_policy: list[Any] | None = None
    restart_policy: str | None = None
    restart_policy_rules: list[Any] | None = None
    volume_mounts: list[VolumeMount] | None = None
    volume_devices: list[Any] | None = None
    liveness_probe: Tree | None = None
    readiness_probe: Tree | None = None
    startup_probe: Tree | None = None
    lifecycle: Tree | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None
    security_context: Tree | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    tty: bool | None = None


class PodSpec(Model):
    """What runs, and where."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    ephemeral_containers: list[Any] | None = None
    volumes: list[Tree] | None = None
    restart_policy: str | None = None
    termination_grace_period_seconds: Number | None = None
    active_deadline_seconds: Number | None = None
    dns_policy: str | None = None
    dns_config: Tree | None = None
    node_selector: dict[str, str] | None = None
    node_name: str | None = None
    affinity: Tree | None = None
    tolerations: list[Any] | None = None
    topology_spread_constraints: list[Any] | None = None
    service_account_name: str | None = None
    service_account: str | None = None
    automount_service_account_token: bool | None = None
    host_network: bool | None = None
    host_pid: bool | None = Field(default=None, alias="hostPID")
    host_ipc: bool | None = Field(default=None, alias="hostIPC")
    host_users: bool | None = None
    host_aliases: list[Any] | None = None
    hostname: str | None = None
    hostname_override: str | None = None
    subdomain: str | None = None
    set_hostname_as_fqdn: bool | None = Field(default=None, alias="setHostnameAsFQDN")
    share_process_namespace: bool | None = None
    security_context: Tree | None = None
    image_pull_secrets: list[Any] | None = None
    scheduler_name: str | None = None
    scheduling_gates: list[Any] | None = None
    priority: Number | None = None
    priority_class_name: str | None = None
    preemption_policy: str | None = None
    readiness_gates: list[Any] | None = None
    runtime_class_name: str | None = None
    enable_service_links: bool | None = None
    overhead: Tree | None = None
    os: Tree | None = None
    resource_claims: list[Any] | None = None
    resources: Resources | None = None


class PodTemplate(Model):
    """The pods that a job starts."""

    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None


class JobSpec(Model):
    """How often and how long pods are started."""

    template: PodTemplate | None = None
    parallelism: Number | None = None
    completions: Number | None = None
    completion_mode: str | None = None
    active_deadline_seconds: Number | None = None
    backoff_limit: Number | None = None
    backoff_limit_per_index: Number | None = None
    max_failed_indexes: Number | None = None
    pod_failure_policy: Tree | None = None
    success_policy: Tree | None = None
    selector: Tree | None = None
    manual_selector: bool | None = None
    ttl_seconds_after_finished: Number | None = None
    suspend: bool | None = None
    pod_replacement_policy: str | None = None
    managed_by: str | None = None


class Job(Model):
    """A ``batch/v1`` Job."""

    api_version: str | None = None
    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: JobSpec | None = None
    status: Tree | None = None
