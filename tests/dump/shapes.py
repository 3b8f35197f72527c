"""One record of each known shape, as its program writes it."""
# ruff: noqa: E501

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["RECORDS", "START", "TIMED", "WRAPPED", "text_of"]

START = 1_780_000_000
"""Unix seconds of the first record; each record is an hour later."""


def text_of(number: int) -> str:
    """The prompt of a record."""
    return f"Please explain how the tides of harbour number {number} are predicted"


def iso(number: int) -> str:
    return datetime.fromtimestamp(START + 3600 * number, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def nanos(number: int) -> str:
    return str((START + 3600 * number) * 10**9)


def messages(number: int) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text_of(number)}]


def body(number: int, **more: Any) -> dict[str, Any]:
    return {"model": "m-1", "messages": messages(number), "temperature": 0.5} | more


def user(number: int) -> str:
    return f"u{number % 10}"


RECORDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "litellm-spend-logs": lambda n: {
        "request_id": f"r{n}", "call_type": "acompletion", "api_key": "hash", "spend": 0.1, "startTime": iso(n),
        "endTime": iso(n), "user": "default_user_id", "end_user": user(n), "team_id": "t", "messages": {},
        "response": {"choices": [{"message": {"content": "no"}}]}, "proxy_server_request": body(n, user="other"),
    },
    "litellm-logging-payload": lambda n: {
        "id": f"r{n}", "call_type": "completion", "response_cost": 0.1, "startTime": START + 3600.5 * n, "model": "m",
        "metadata": {"user_api_key_user_id": user(n), "user_api_key_hash": "h"}, "messages": messages(n),
        "hidden_params": {}, "model_parameters": {}, "end_user": "", "response": {"choices": []},
    },
    "litellm-callback": lambda n: {
        "litellm_call_id": f"r{n}", "messages": messages(n), "start_time": iso(n),
        "litellm_params": {"metadata": {"user_api_key_user_id": user(n)}},
    },
    "helicone": lambda n: {
        "request_id": f"r{n}", "request_created_at": iso(n), "request_body": body(n), "request_user_id": user(n),
        "request_path": "/v1/chat/completions", "response_body": {"choices": []}, "helicone_user": "owner",
    },
    "portkey": lambda n: {
        "id": f"r{n}", "trace_id": "t", "created_at": iso(n), "request": body(n), "response": {}, "ai_model": "m",
        "cost": 1, "metadata": {"_user": user(n)},
    },
    "cloudflare-ai-gateway": lambda n: {
        "Gateway": "gw", "Provider": "openai", "Metadata": {"user": user(n)}, "RequestBody": body(n),
        "ResponseBody": {}, "Timestamp": int(nanos(n)), "Model": "m",
    },
    "cloudflare-ai-gateway-api": lambda n: {
        "id": f"r{n}", "provider": "openai", "model": "m", "created_at": iso(n), "cached": False,
        "metadata": json.dumps({"user": user(n)}), "request_body": json.dumps(body(n)),
    },
    "kong-ai-proxy": lambda n: {
        "started_at": (START + 3600 * n) * 1000, "client_ip": "10.0.0.1", "consumer": {"username": user(n), "id": f"{n % 10}"},
        "ai": {"proxy": {"payload": {"request": json.dumps(body(n)), "response": "{}"}, "meta": {"request_model": "m"}}},
        "request": {"uri": "/", "headers": {"user-agent": "x"}},
    },
    "azure-apim-llm": lambda n: {
        "TimeGenerated [UTC]": iso(n), "CorrelationId": f"r{n}", "ApimSubscriptionId": user(n), "ModelName": "m",
        "SequenceNumber": 1, "RequestMessages": json.dumps(messages(n)), "ResponseMessages": "",
    },
    "azure-apim-diagnostic": lambda n: {
        "time": iso(n), "category": "GatewayLlmLogs", "correlationId": f"r{n}", "callerIpAddress": "10.0.0.1",
        "properties": {"requestMessages": json.dumps(messages(n)), "modelName": "m", "apimSubscriptionId": user(n)},
    },
    "sagemaker-data-capture": lambda n: {
        "captureData": {"endpointInput": {"mode": "INPUT", "data": json.dumps({"inputs": text_of(n)}), "encoding": "JSON"}},
        "eventMetadata": {"eventId": f"e{n}", "inferenceTime": iso(n), "customAttributes": []}, "user_id": user(n),
    },
    "azure-ml-inference": lambda n: {
        "specversion": "1.0", "id": f"r{n}", "type": "azureml.inference.inputs", "time": iso(n), "xrequestid": f"x{n}",
        "data": [{"user_id": user(n), "input_data": text_of(n), "prompt": text_of(n)}], "user_id": user(n),
    },
    "bedrock-invocation": lambda n: {
        "schemaType": "ModelInvocationLog", "timestamp": iso(n), "accountId": "1112", "modelId": "amazon.titan",
        "identity": {"arn": f"arn:aws:sts::1112:assumed-role/app/{user(n)}"}, "operation": "InvokeModel", "requestId": f"r{n}",
        "input": {"inputBodyJson": [
            {"inputText": text_of(n), "textGenerationConfig": {}},
            {"anthropic_version": "x", "system": "Be brief.", "messages": [{"role": "user", "content": [{"type": "text", "text": text_of(n)}]}]},
            {"prompt": text_of(n), "max_gen_len": 5},
            {"message": text_of(n), "chat_history": []},
            {"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": text_of(n)}]}], "system": [{"text": "s"}]},
        ][n % 5]},
        "output": {"outputBodyJson": {"results": [{"outputText": "no"}]}},
    },
    "vertex-request-response": lambda n: {
        "endpoint": "e", "deployed_model_id": "0", "logging_time": iso(n), "request_id": str(n), "request_payload": [],
        "full_request": json.dumps({
            "contents": [{"role": "user", "parts": [{"text": text_of(n)}]}], "labels": {"customer": user(n)},
        }),
        "full_response": "{}",
    },
    "google-audit-log": lambda n: {
        "logName": "l", "timestamp": iso(n), "insertId": f"i{n}",
        "protoPayload": {
            "methodName": "google.cloud.aiplatform.v1.PredictionService.GenerateContent",
            "authenticationInfo": {"principalEmail": f"{user(n)}"},
            "request": {"contents": [{"role": "user", "parts": [{"text": text_of(n)}]}]},
        },
    },
    "databricks-inference-table": lambda n: {
        "client_request_id": "c", "databricks_request_id": f"r{n}", "date": "2026-06-01", "status_code": 200,
        "timestamp_ms": (START + 3600 * n) * 1000, "request": json.dumps(body(n)), "response": "{}", "requester": user(n),
    },
    "openpipe": lambda n: {
        "id": f"r{n}", "requestedAt": iso(n), "reqPayload": body(n), "respPayload": {"choices": []}, "statusCode": 200,
        "tags": {"user_id": user(n)},
    },
    "keywords-ai": lambda n: {
        "id": f"r{n}", "prompt_messages": messages(n), "completion_message": {"role": "assistant", "content": "no"},
        "customer_identifier": user(n), "timestamp": iso(n),
    },
    "langfuse-observations": lambda n: {
        "id": f"o{n}", "trace_id": f"t{n}", "type": "GENERATION", "start_time": iso(n), "created_at": iso(n + 5),
        "parent_observation_id": None, "input": json.dumps(messages(n)), "output": "no", "user_id": user(n), "level": "DEFAULT",
    },
    "langfuse-traces": lambda n: {
        "id": f"t{n}", "timestamp": iso(n), "name": "chat", "userId": user(n), "sessionId": None, "bookmarked": False,
        "input": {"messages": messages(n)}, "output": {"content": "no"},
    },
    "langsmith-runs": lambda n: {
        "id": f"r{n}", "run_type": "llm", "start_time": iso(n), "session_id": "s", "trace_id": "t", "outputs": {},
        "inputs": {"messages": [[{"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"],
                                  "kwargs": {"content": text_of(n), "type": "human"}}]]},
        "extra": {"metadata": {"user_id": user(n)}},
    },
    "mlflow-trace": lambda n: {
        "info": {"trace_id": f"t{n}", "request_time": iso(n), "trace_metadata": {"mlflow.trace.user": user(n)}},
        "data": {"request": json.dumps({"messages": messages(n)}), "spans": []},
    },
    "mlflow-search": lambda n: {
        "trace_id": f"t{n}", "request_time": iso(n), "execution_time_ms": 5, "spans": [],
        "trace_metadata": {"mlflow.trace.user": user(n)}, "request": json.dumps({"messages": messages(n)}), "response": "{}",
    },
    "weave-calls": lambda n: {
        "id": f"c{n}", "op_name": "openai.chat", "started_at": iso(n), "inputs": {"messages": messages(n)},
        "attributes": {"user_id": user(n)}, "output": {},
    },
    "opik-traces": lambda n: {
        "id": f"t{n}", "project_id": "p", "start_time": iso(n), "input": {"messages": messages(n)}, "output": {},
        "metadata": {"user_id": user(n)}, "feedback_scores": [],
    },
    "braintrust-logs": lambda n: {
        "id": f"t{n}", "span_id": f"s{n}", "root_span_id": "r", "created": iso(n), "input": messages(n), "output": "no",
        "span_attributes": {"type": "llm"}, "metadata": {"user_id": user(n)},
    },
    "datadog-llm": lambda n: {
        "span_id": f"s{n}", "trace_id": "t", "ml_app": "app", "start_ns": int(nanos(n)), "tags": ["env:prod"],
        "meta": {"kind": "llm", "input": {"messages": messages(n)}, "metadata": {"user_id": user(n)}},
    },
    "otel-gen-ai": lambda n: {
        "name": "chat", "context": {"span_id": f"s{n}"}, "start_time": iso(n),
        "attributes": {
            "gen_ai.request.model": "m", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": text_of(n),
            "traceloop.association.properties.user_id": user(n),
        },
    },
    "openinference-dataframe": lambda n: {
        "name": "ChatCompletion", "span_kind": "LLM", "start_time": iso(n), "context.span_id": f"s{n}",
        "attributes.llm.input_messages": [{"message.role": "user", "message.content": text_of(n)}],
        "attributes.input.value": json.dumps(body(n)), "attributes.user.id": user(n),
    },
    "openai-batch-input": lambda n: {
        "custom_id": f"r{n}", "method": "POST", "url": "/v1/responses",
        "body": {"model": "m", "instructions": "Be brief.", "input": text_of(n), "safety_identifier": user(n)},
    },
    "anthropic-batch-requests": lambda n: {
        "custom_id": f"r{n}",
        "params": {
            "model": "m", "max_tokens": 9, "system": "Be brief.", "messages": [{"role": "user", "content": text_of(n)}],
            "metadata": {"user_id": f"{user(n)}_session_{n}"},
        },
    },
    "openai-stored-completion": lambda n: {
        "object": "chat.completion", "id": f"c{n}", "created": START + 3600 * n, "model": "m", "choices": [],
        "metadata": {"user_id": user(n)}, "messages": messages(n),
    },
    "openai-response": lambda n: {
        "object": "response", "id": f"c{n}", "created_at": START + 3600 * n, "model": "m", "instructions": "Be brief.",
        "output": [], "user": user(n), "input": [{"role": "user", "content": [{"type": "input_text", "text": text_of(n)}]}],
    },
    "openai-responses-request": lambda n: {
        "model": "m", "input": text_of(n), "instructions": "Be brief.", "user": user(n), "timestamp": iso(n),
    },
    "chat-completions-request": lambda n: body(n, user=user(n), timestamp=iso(n)),
    "sharegpt": lambda n: {
        "id": user(n), "user": user(n), "conversations": [{"from": "human", "value": text_of(n)}, {"from": "gpt", "value": "no"}],
    },
    "wildchat": lambda n: {
        "conversation_hash": f"c{n}", "hashed_ip": user(n), "timestamp": iso(n), "turn": 1,
        "conversation": [{"role": "user", "content": text_of(n)}, {"role": "assistant", "content": "no"}],
    },
    "open-webui": lambda n: {
        "id": f"c{n}", "user_id": user(n), "title": "New Chat", "archived": False, "created_at": START + 3600 * n,
        "chat": json.dumps({"models": ["m"], "messages": [{"role": "user", "content": text_of(n)}]}),
    },
    "chatgpt-export": lambda n: {
        "title": "x", "create_time": START + 3600 * n, "user_id": user(n),
        "mapping": {"a": {"id": "a", "parent": None, "message": {
            "author": {"role": "user"}, "content": {"content_type": "text", "parts": [text_of(n)]},
        }}},
    },
    "claude-export": lambda n: {
        "uuid": f"c{n}", "name": "x", "created_at": iso(n), "account": {"uuid": user(n)},
        "chat_messages": [{"sender": "human", "text": text_of(n)}, {"sender": "assistant", "text": "no"}],
    },
    "cohere-chat": lambda n: {
        "message": text_of(n), "chat_history": [], "preamble": "Be brief.", "user_id": user(n), "timestamp": iso(n),
    },
    "vllm-request": lambda n: {
        "request_id": f"r{n}", "prompt": text_of(n), "sampling_params": {"n": 1}, "user": user(n), "time": iso(n),
    },
    "tgi-request": lambda n: {"inputs": text_of(n), "parameters": {"top_p": 1}, "user_id": user(n), "time": iso(n)},
    "ollama-generate": lambda n: {
        "model": "m", "prompt": text_of(n), "system": "Be brief.", "options": {}, "user_id": user(n), "time": iso(n),
    },
}  # fmt: skip
"""Profile -> record number n, of the account ``u0`` to ``u9``."""

_FLAT: Callable[[int], dict[str, Any]] = lambda n: {"user_id": user(n), "prompt": text_of(n), "time": iso(n)}  # noqa: E731

WRAPPED: dict[str, Callable[[int], dict[str, Any]]] = {
    "langfuse-ingestion": lambda n: {
        "metadata": {}, "batch": [{"type": "generation-create", "body": {"userId": user(n), "startTime": iso(n), "input": text_of(n)}}],
    },
    "otlp-traces": lambda n: {"resourceSpans": [{
        "resource": {"attributes": [{"key": "user.id", "value": {"stringValue": user(n)}}]},
        "scopeSpans": [{"spans": [{
            "spanId": f"s{n}", "startTimeUnixNano": nanos(n),
            "attributes": [{"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(messages(n))}}],
        }]}],
    }]},
    "otlp-logs": lambda n: {"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "timeUnixNano": nanos(n), "eventName": "gen_ai.client.inference.operation.details",
        "attributes": [
            {"key": "user.id", "value": {"stringValue": user(n)}},
            {"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps(messages(n))}},
        ],
    }]}]}]},
    "jaeger": lambda n: {"data": [{"traceID": f"t{n}", "spans": [{
        "spanID": f"s{n}", "startTime": (START + 3600 * n) * 10**6,
        "tags": [
            {"key": "user.id", "type": "string", "value": user(n)},
            {"key": "gen_ai.input.messages", "type": "string", "value": json.dumps(messages(n))},
        ],
    }]}]},
    "anthropic-batch-body": lambda n: {"requests": [RECORDS["anthropic-batch-requests"](n)]},
    "elasticsearch-response": lambda n: {"took": 1, "hits": {"hits": [{"_index": "i", "_id": f"{n}", "_source": _FLAT(n)}]}},
    "elasticsearch-document": lambda n: {"_index": "i", "_id": f"{n}", "_source": _FLAT(n)},
    "elasticsearch-fields": lambda n: {
        "_index": "i", "_id": f"{n}", "fields": {"user.id": [user(n)], "message": [text_of(n)], "@timestamp": [iso(n)]},
    },
    "splunk-export": lambda n: {"preview": False, "offset": n, "result": _FLAT(n)},
    "splunk-results": lambda n: {"preview": False, "init_offset": 0, "results": [_FLAT(n)]},
    "splunk-hec": lambda n: {"time": START, "host": "h", "sourcetype": "s", "event": _FLAT(n)},
    "cloudwatch-insights": lambda n: {"@timestamp": iso(n), "@message": json.dumps(_FLAT(n))},
    "fluent-bit": lambda n: {"log": json.dumps(_FLAT(n)), "kubernetes": {"pod_name": "p"}},
    "kafka-record": lambda n: {"topic": "t", "partition": 0, "offset": n, "payload": json.dumps(_FLAT(n))},
    "google-log-entry": lambda n: {"insertId": f"{n}", "logName": "l", "timestamp": iso(n), "jsonPayload": _FLAT(n)},
    "loki": lambda n: {"timestamp": iso(n), "labels": {"app": "a"}, "line": json.dumps(_FLAT(n))},
    "clickhouse-json": lambda n: {"meta": [{"name": "user_id"}], "data": [_FLAT(n)], "rows": 1},
    "dynamodb-export": lambda n: {"Item": {name: {"S": value} for name, value in _FLAT(n).items()}},
    "debezium": lambda n: {"schema": {}, "payload": {"op": "c", "source": {"table": "t"}, "after": _FLAT(n)}},
    "list-of-objects": lambda n: {"object": "list", "has_more": False, "data": [_FLAT(n)]},
}  # fmt: skip
"""Profile of what records are in -> record number n."""

TIMED = frozenset(RECORDS) - {"openai-batch-input", "anthropic-batch-requests", "sharegpt"}
"""Profiles whose records have a time."""
