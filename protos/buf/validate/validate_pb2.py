"""`buf/validate/validate.proto` for google.protobuf, taken from the installed protovalidate.

Our stubs import this module because they use its options, yet protovalidate ships the descriptor only for its own
protobuf runtime. Registering those very bytes keeps rules and validator at one version, with no copy to maintain.
"""

from google.protobuf import (  # noqa: F401  # the descriptor depends on these
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    field_mask_pb2,
    timestamp_pb2,
)
from google.protobuf.internal import builder
from protovalidate import ViolationPb

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile(ViolationPb.desc().file.proto.to_binary())
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, "buf.validate.validate_pb2", globals())
