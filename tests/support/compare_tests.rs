//! The comparison itself must be able to fail.

use libtest_mimic::{Failed, Trial};
use vgg_wgpu::{Shape, Tensor};

use super::compare::{Tolerance, compare};
use super::random::Random;

/// Makes a wrong result of a right one.
type Damage = fn(&mut Tensor);

/// The tests of [`compare`].
pub fn trials() -> Vec<Trial> {
    let rejections: [(&str, Damage); 7] = [
        ("nan", |tensor| tensor.data[17] = f32::NAN),
        ("infinity", |tensor| tensor.data[17] = f32::INFINITY),
        ("swapped_elements", |tensor| tensor.data.swap(3, 40)),
        ("all_zeros", |tensor| tensor.data.fill(0.0)),
        ("wrong_shape", |tensor| tensor.shape = Shape::Map { h: 4, w: 3, c: 5 }),
        ("wrong_batch", |tensor| tensor.n = 1),
        ("one_wrong_element", |tensor| tensor.data[59] *= 1.001),
    ];
    let mut trials = vec![
        Trial::test("compare/accepts_equal", accepts_equal),
        Trial::test("compare/accepts_rounding", accepts_rounding),
        Trial::test("compare/names_the_place", names_the_place),
        Trial::test("compare/rejects_an_empty_case", rejects_an_empty_case),
    ];
    for (name, damage) in rejections {
        trials.push(Trial::test(format!("compare/rejects_{name}"), move || {
            let mut damaged = tensor();
            damage(&mut damaged);
            match compare(&damaged, &tensor(), Tolerance::sum(25088)) {
                Err(_) => Ok(()),
                Ok(()) => Err("accepted".into()),
            }
        }));
    }
    trials
}

fn tensor() -> Tensor {
    Tensor::new(2, Shape::Map { h: 3, w: 4, c: 5 }, Random::new("compare").uniform(120, 0.5, 2.0))
}

fn accepts_equal() -> Result<(), Failed> {
    Ok(compare(&tensor(), &tensor(), Tolerance::EXACT)?)
}

fn accepts_rounding() -> Result<(), Failed> {
    let mut rounded = tensor();
    rounded.data[7] *= 1.0 + f32::EPSILON;
    Ok(compare(&rounded, &tensor(), Tolerance::ROUNDED)?)
}

fn names_the_place() -> Result<(), Failed> {
    let mut damaged = tensor();
    damaged.data[60 + 23] = -1.0;
    damaged.data[60 + 24] = f32::NAN;
    let message = compare(&damaged, &tensor(), Tolerance::ROUNDED).unwrap_err();
    let told = message.starts_with("2 of 120 values")
        && message.contains("by up to NaN")
        && message.contains("[1, 1, 0, 3]: -1.0");
    if told { Ok(()) } else { Err(message.into()) }
}

fn rejects_an_empty_case() -> Result<(), Failed> {
    let zeros = Tensor::zeros(1, Shape::Vector(3));
    if compare(&zeros, &zeros, Tolerance::EXACT).is_ok() { Err("accepted".into()) } else { Ok(()) }
}
