# SPDX-License-Identifier: Apache-2.0
"""Prints the contract that the real client of Milvus 1.1 holds, one field, value or call a line."""

from google.protobuf import descriptor_pb2
from milvus.grpc_gen import milvus_pb2, status_pb2

for module in status_pb2, milvus_pb2:
    contract = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(contract)
    for enum in contract.enum_type:
        for value in enum.value:
            print(f"enum {enum.name} {value.name} {value.number}")
    for message in contract.message_type:
        for field in message.field:
            kind = f"{field.label} {field.type} {field.type_name or '-'}"
            print(f"message {message.name} {field.name} {field.number} {kind}")
    for service in contract.service:
        for call in service.method:
            print(f"call {call.name} {call.input_type} {call.output_type}")
