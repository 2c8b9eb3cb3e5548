/** Just enough of protobuf's wire format to write a model of one product. Fields: onnx.proto of ONNX. */

const varint = (value) => (value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]);
const integer = (field, value) => [field * 8, ...varint(value)];
const bytes = (field, content) => [field * 8 + 2, ...varint(content.length), ...content];
const text = (field, value) => bytes(field, [...new TextEncoder().encode(value)]);

const FLOAT = 1;

/** ValueInfoProto of a float32[size, size]. */
function matrix(name, size) {
  const dimension = bytes(1, integer(1, size));
  const tensor = [...integer(1, FLOAT), ...bytes(2, [...dimension, ...dimension])];
  return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

/** The ONNX model of c = a · b. */
export function matmulModel(size) {
  const node = [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'c'), ...text(4, 'MatMul')];
  const graph = [
    ...bytes(1, node),
    ...text(2, 'product'),
    ...bytes(11, matrix('a', size)),
    ...bytes(11, matrix('b', size)),
    ...bytes(12, matrix('c', size)),
  ];
  const operators = [...text(1, ''), ...integer(2, 18)];
  return Uint8Array.from([...integer(1, 10), ...bytes(7, graph), ...bytes(8, operators)]);
}
