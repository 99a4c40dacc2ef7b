#include "numerics/linear.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <vector>

#include <dnnl.hpp>

#include "core/enum_names.hpp"
#include "core/error.hpp"
#include "core/free_memory.hpp"
#include "core/random.hpp"
#include "core/simulation.hpp"
#include "numerics/architecture.hpp"

/// Of the OpenMP runtime with which oneDNN makes its threads; not from omp.h, which is the compiler's own.
extern "C" void omp_set_num_threads(int count) noexcept;

namespace dmoe::numerics {

namespace {

enum class Epilogue { none, bias, bias_relu, sum };
enum class Order { row_major, transposed };

/// c (m, n) = a (m, k) b (k, n), a and b possibly stored transposed, with an epilogue on c.
struct ProductShape {
  Index m, n, k;
  Order a, b;
  Epilogue epilogue;
  Arithmetic arithmetic;
  auto operator<=>(const ProductShape&) const = default;
};

constexpr EnumNames<Precision, 2> names{"precision", {"float32", "bf16"}};

Arithmetic in_force;

dnnl::engine& engine() {
  static dnnl::engine cpu = [] {
    omp_set_num_threads(in_force.threads);  // OpenMP would take every core
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return cpu;
}

using Type = dnnl::memory::data_type;

dnnl::memory::desc descriptor(Index rows, Index columns, Order order, Type type = Type::f32) {
  const dnnl::memory::dims strides =
      order == Order::row_major ? dnnl::memory::dims{columns, 1} : dnnl::memory::dims{1, rows};
  return {{rows, columns}, type, strides};
}

/// Points a memory object at a call's operand. oneDNN has one pointer type for inputs and outputs; it does
/// not write through inputs.
void point(const dnnl::memory& memory, const float* data) {
  memory.set_data_handle(const_cast<float*>(data));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

void execute(const dnnl::primitive& primitive, const dnnl::stream& stream,
             std::span<const dnnl_exec_arg_t> arguments) {
  // The C call: the C++ one takes a map, which allocates.
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive.get(), stream.get(), narrow<int>(arguments.size()), arguments.data()),
      "oneDNN could not run a matrix product");
}

/// Room for a rounded operand, as much as the largest took; the products share it.
using Room = std::vector<std::uint16_t>;

/// One operand of a product in the precision it is multiplied in.
class Operand {
 public:
  Operand(Index rows, Index columns, Order order, Precision multiplied_in, Room& room)
      : room_(&room), floats_(descriptor(rows, columns, order), engine(), nullptr) {
    if (multiplied_in == Precision::float32) return;
    room.resize(std::max(room.size(), size(rows * columns)));
    rounded_ = dnnl::memory(descriptor(rows, columns, order, Type::bf16), engine(), nullptr);
    rounding_ = dnnl::reorder(floats_, rounded_);
  }
  dnnl::memory::desc description() const { return multiplied().get_desc(); }
  /// The operand of this call, rounded if need be.
  dnnl_memory_t take(const float* data, const dnnl::stream& stream) const {
    point(floats_, data);
    if (rounding_) {
      rounded_.set_data_handle(room_->data());
      execute(
          rounding_, stream,
          std::array<dnnl_exec_arg_t, 2>{{{DNNL_ARG_FROM, floats_.get()}, {DNNL_ARG_TO, rounded_.get()}}});
    }
    return multiplied().get();
  }

 private:
  const dnnl::memory& multiplied() const { return rounding_ ? rounded_ : floats_; }
  Room* room_;
  dnnl::memory floats_;
  dnnl::memory rounded_;  // none in float32
  dnnl::reorder rounding_;
};

/// c = a b, plus the bias where there is one, and relu of it or c as it was added where wanted. The one place
/// where oneDNN 2 and 3 differ: 3 has no descriptors of operations, and no scale of what comes after them.
dnnl::matmul compiled(const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                      const dnnl::memory::desc& bias, const dnnl::memory::desc& c, Epilogue epilogue) {
  const bool has_relu = epilogue == Epilogue::bias_relu;
  dnnl::primitive_attr attributes;
  dnnl::post_ops after;
  if (epilogue == Epilogue::sum) after.append_sum(1.0F);
#if DNNL_VERSION_MAJOR >= 3
  if (has_relu) after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  attributes.set_post_ops(after);
  return {dnnl::matmul::primitive_desc(engine(), a, b, bias, c, attributes)};
#else
  if (has_relu) after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  attributes.set_post_ops(after);
  return {dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, bias, c), attributes, engine())};
#endif
}

/// What oneDNN (2.6 and 3.7) may take to write a product's code; it crashes where it does not get it. Seen:
/// 12 MB.
constexpr std::size_t memory_to_compile = 32 << 20;

/// One compiled product. The memory objects are made once and pointed at each call's operands, so that a
/// steady step allocates nothing here.
class Product {
 public:
  explicit Product(const ProductShape& shape)
      : has_bias_(shape.epilogue == Epilogue::bias || shape.epilogue == Epilogue::bias_relu),
        a_(shape.m, shape.k, shape.a, shape.arithmetic.precision, room_of_a),
        b_(shape.k, shape.n, shape.b, shape.arithmetic.precision, room_of_b) {
    const auto a = a_.description();
    const auto b = b_.description();
    const auto c = descriptor(shape.m, shape.n, Order::row_major);
    const auto bias = has_bias_ ? descriptor(1, shape.n, Order::row_major) : dnnl::memory::desc();
    primitive_ = compiled(a, b, bias, c, shape.epilogue);
    c_ = dnnl::memory(c, engine(), nullptr);
    if (has_bias_) bias_ = dnnl::memory(bias, engine(), nullptr);
  }

  void run(const float* a, const float* b, const float* bias, float* c) {
    point(c_, c);
    if (has_bias_) point(bias_, bias);
    const std::array<dnnl_exec_arg_t, 4> arguments{{{DNNL_ARG_SRC, a_.take(a, stream_)},
                                                    {DNNL_ARG_WEIGHTS, b_.take(b, stream_)},
                                                    {DNNL_ARG_DST, c_.get()},
                                                    {DNNL_ARG_BIAS, has_bias_ ? bias_.get() : nullptr}}};
    execute(primitive_, stream_, std::span(arguments).first(has_bias_ ? 4 : 3));
    stream_.wait();
  }

 private:
  bool has_bias_;
  inline static Room room_of_a, room_of_b;
  Operand a_, b_;
  dnnl::matmul primitive_;
  dnnl::memory c_, bias_;
  dnnl::stream stream_{engine()};
};

/// The compiled product of this shape; compiled at its first use. Never dropped: a run has few shapes.
Product& product(const ProductShape& shape) {
  static std::map<ProductShape, Product> products;
  const auto known = products.find(shape);
  if (known != products.end()) return known->second;
  require_free_memory(memory_to_compile);
  return products.try_emplace(shape, shape).first->second;
}

/// In a simulation, in place of the product.
[[maybe_unused]] void charge(const ProductShape& shape) {
  using simulation::Product;
  if (shape.a == Order::transposed) {
    const bool is_added = shape.epilogue == Epilogue::sum;
    simulation::charge(is_added ? Product::added_weight_gradient : Product::weight_gradient, shape.k, shape.m,
                       shape.n);
  } else if (shape.b == Order::transposed) {
    simulation::charge(Product::output, shape.m, shape.n, shape.k);
  } else {
    simulation::charge(Product::input_gradient, shape.m, shape.k, shape.n);
  }
}

void multiply(const ProductShape& shape, const float* a, const float* b, const float* bias, float* c) {
  if constexpr (simulation::is_on) return charge(shape);
  try {
    product(shape).run(a, b, bias, c);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
    throw;
  }
}

/// c += a b: the product is rounded, then added. Of a shape with the epilogue sum.
void multiply_and_add(const ProductShape& shape, const float* a, const float* b, float* c) {
  static Matrix rounded(1, 0);
  const Index count = shape.m * shape.n;
  if (rounded.columns() < count) rounded = Matrix(1, count);
  ProductShape alone = shape;
  alone.epilogue = Epilogue::none;
  float* const product = rounded.view().data;
  multiply(alone, a, b, nullptr, product);
  for (Index i = 0; i < count; ++i) c[i] += product[i];
}

/// Whether the compiled product of this shape, with the epilogue sum, does the same: it need not, for a
/// library may begin a sum with what is there. What a shape's code does, it does with all values; it is tried
/// once, with values of chance, so many that none differs by chance alone.
bool adds_what_was_rounded(const ProductShape& shape) {
  if constexpr (simulation::is_on) return true;  // as oneDNN does; its time is measured
  constexpr Index enough = 1024;
  if (shape.m * shape.n < enough) return false;
  static std::map<ProductShape, bool> known;
  if (const auto found = known.find(shape); found != known.end()) return found->second;
  const auto random = [&](Index rows, Index columns, std::uint64_t index) {
    Matrix matrix(rows, columns);
    RandomStream stream(0, Purpose::self_test, index);
    for (float& value : matrix.values()) value = stream.uniform(-1, 1);
    return matrix;
  };
  const Matrix a = random(shape.m, shape.k, 1);
  const Matrix b = random(shape.k, shape.n, 2);
  Matrix at_once = random(shape.m, shape.n, 3);
  Matrix in_turn = random(shape.m, shape.n, 3);
  multiply(shape, a.view().data, b.view().data, nullptr, at_once.view().data);
  multiply_and_add(shape, a.view().data, b.view().data, in_turn.view().data);
  const bool is_same =
      std::memcmp(at_once.view().data, in_turn.view().data, at_once.values().size_bytes()) == 0;
  return known.emplace(shape, is_same).first->second;
}

void use(const Arithmetic& arithmetic) {
  if (arithmetic.threads != in_force.threads) omp_set_num_threads(arithmetic.threads);
  in_force = arithmetic;
}

}  // namespace

void linear(ConstMatrixView x, ConstMatrixView weight, std::span<const float> bias, Activation activation,
            MatrixView y) {
  assert(x.columns == weight.columns && y.rows == x.rows && y.columns == weight.rows);
  assert(bias.size() == size(weight.rows));
  if (y.count() == 0) return;
  const Epilogue epilogue = activation == Activation::relu ? Epilogue::bias_relu : Epilogue::bias;
  multiply({y.rows, y.columns, x.columns, Order::row_major, Order::transposed, epilogue, in_force}, x.data,
           weight.data, bias.data(), y.data);
}

void linear_input_gradient(ConstMatrixView d_y, ConstMatrixView weight, MatrixView d_x) {
  assert(d_y.columns == weight.rows && d_x.rows == d_y.rows && d_x.columns == weight.columns);
  if (d_x.count() == 0) return;
  multiply({d_x.rows, d_x.columns, weight.rows, Order::row_major, Order::row_major, Epilogue::none, in_force},
           d_y.data, weight.data, nullptr, d_x.data);
}

void linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight) {
  assert(d_y.rows == x.rows && d_weight.rows == d_y.columns && d_weight.columns == x.columns);
  if (d_weight.count() == 0) return;
  if (x.rows == 0) {
    std::ranges::fill(d_weight.values(), 0.0F);
    return;
  }
  multiply({d_weight.rows, d_weight.columns, x.rows, Order::transposed, Order::row_major, Epilogue::none,
            in_force},
           d_y.data, x.data, nullptr, d_weight.data);
}

void add_linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight) {
  assert(d_y.rows == x.rows && d_weight.rows == d_y.columns && d_weight.columns == x.columns);
  if (d_weight.count() == 0 || x.rows == 0) return;
  const ProductShape shape{d_weight.rows,    d_weight.columns, x.rows,  Order::transposed,
                           Order::row_major, Epilogue::sum,    in_force};
  if (adds_what_was_rounded(shape)) {
    multiply(shape, d_y.data, x.data, nullptr, d_weight.data);
  } else {
    multiply_and_add(shape, d_y.data, x.data, d_weight.data);
  }
}

Index padded_rows(Index rows) {
  constexpr Index steps = 8;  // between two powers of two
  if (rows <= steps) return rows;
  const auto step = static_cast<Index>(std::bit_floor(static_cast<std::uint64_t>(rows))) / steps;
  return (rows + step - 1) / step * step;
}

std::string to_text(Precision named) {
  return names.text(named);
}

std::vector<std::string> precision_names() {
  return names.all();
}

Precision precision_named(const std::string& name) {
  return names.named(name);
}

void require_products_of(Precision precision) {
  if (precision == Precision::bf16 && !has_bf16_products())
    throw InputError("this CPU, used with {}, has no bf16 products (AVX512-BF16 or AMX); use float32",
                     instruction_set());
}

const Arithmetic& arithmetic_in_force() {
  return in_force;
}

ArithmeticScope::ArithmeticScope(const Arithmetic& arithmetic) : before_(in_force) {
  use(arithmetic);
}

ArithmeticScope::~ArithmeticScope() {
  use(before_);
}

}  // namespace dmoe::numerics
