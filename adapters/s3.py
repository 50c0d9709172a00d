"""S3 and what speaks its protocol: https://docs.aws.amazon.com/AmazonS3/latest/API/.

Credentials come from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (with `AWS_SESSION_TOKEN`; the
same with `_1`, `_2`, … behind each), else from `S3_ACCESS_KEY` and `S3_SECRET_KEY`; the address
from `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or `S3_ENDPOINT`; the region from `AWS_REGION` or
`AWS_DEFAULT_REGION`; or all from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
Requests are signed by botocore (extra `s3`), which is loaded when the first one is sent.
"""

from __future__ import annotations

from typing import ClassVar

from adapters import _s3_flows as flows
from adapters import _s3_many as many
from adapters import _s3_transfers as transfers
from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._default import DefaultClient
from adapters._operations import Operation, PagedOperation
from adapters._provider import OwnSetting, Provider
from adapters._s3_client import S3Client, region_rule
from adapters._s3_credentials import credentials, secrets_of
from adapters._s3_errors import S3_ERRORS
from adapters._s3_places import describe_span, relocate
from adapters._s3_signing import sign

__all__ = [
    "AsyncClient",
    "Client",
    "buckets",
    "configure",
    "copy",
    "credentials",
    "delete",
    "delete_many",
    "download",
    "generate_report",
    "get",
    "get_stats",
    "head",
    "list",
    "presign",
    "put",
    "request",
    "reset_stats",
    "upload",
]

_PROVIDER = Provider(
    name="s3",
    base_url="https://s3.amazonaws.com",
    base_url_variables=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT"),
    sign=sign,
    ask_raw=many.ask_raw,
    relocate=relocate,
    secrets_of=secrets_of,
    # Objects are wanted as they are stored.
    headers={"Accept": "*/*", "Accept-Encoding": "identity"},
    request_id_header="amz-sdk-invocation-id",
    server_request_id_headers=("x-amz-request-id",),
    own_settings={
        "region": OwnSetting(variables=("AWS_REGION", "AWS_DEFAULT_REGION"), rule=region_rule)
    },
    errors=S3_ERRORS,
    describe_span=describe_span,
)


class _Operations(S3Client):
    """What S3 can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    buckets = Operation(many.buckets)
    list = PagedOperation(many.list_objects)
    get = Operation(flows.get)
    head = Operation(flows.head)
    put = Operation(flows.put)
    copy = Operation(flows.copy)
    delete = Operation(flows.delete)
    delete_many = Operation(many.delete_many)
    upload = Operation(transfers.upload)
    download = Operation(transfers.download)


class Client(_Operations, BaseClient):
    """A client of S3; its own settings are `region` and the parts of its credentials."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of S3 whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

buckets = _default.function(Client.buckets)
list = _default.function(Client.list)  # noqa: A001 - the word of the protocol
get = _default.function(Client.get)
head = _default.function(Client.head)
put = _default.function(Client.put)
copy = _default.function(Client.copy)
delete = _default.function(Client.delete)
delete_many = _default.function(Client.delete_many)
upload = _default.function(Client.upload)
download = _default.function(Client.download)
presign = _default.function(Client.presign)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
