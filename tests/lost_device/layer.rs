//! A Vulkan layer that loses the device: the wait whose number is in LOSE_AT is told so instead of waiting. `tests/gpu.rs`
//! compiles it. The structures are those of Vulkan's `vk_layer.h`, as far as they matter here.

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};

type Function = *const c_void;
type Lookup = unsafe extern "system" fn(*mut c_void, *const c_char) -> Function;
type Create = unsafe extern "system" fn(*const CreateInfo, Function, *mut *mut c_void) -> i32;
type CreateDevice = unsafe extern "system" fn(*mut c_void, *const CreateInfo, Function, *mut *mut c_void) -> i32;
type Wait = unsafe extern "system" fn(*mut c_void, Function, u64) -> i32;

const ERROR_DEVICE_LOST: i32 = -4;
const LOADER_INSTANCE_CREATE_INFO: i32 = 47;
const LOADER_DEVICE_CREATE_INFO: i32 = 48;
const LAYER_LINK_INFO: i32 = 0;

/// Of instances, of devices, and in their chains of the loader's part, which alone has the last two fields.
#[repr(C)]
struct CreateInfo {
    kind: i32,
    next: *const CreateInfo,
    function: i32,
    link: *mut Link,
}

/// The next layer: how it finds functions of instances, and of devices.
#[repr(C)]
struct Link {
    next: *mut Link,
    of_instance: Lookup,
    of_device: Lookup,
}

static INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static OF_INSTANCE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static OF_DEVICE: AtomicPtr<c_void> = AtomicPtr::new(null_mut());
static WAITS: AtomicUsize = AtomicUsize::new(0);

/// The next layer, for which the chain is prepared.
unsafe fn next_layer(info: *const CreateInfo, kind: i32) -> Link {
    unsafe {
        let mut info = info.cast_mut();
        while (*info).kind != kind || (*info).function != LAYER_LINK_INFO {
            info = (*info).next.cast_mut();
        }
        let link = (*info).link.read();
        (*info).link = link.next;
        link
    }
}

unsafe extern "system" fn create_instance(info: *const CreateInfo, memory: Function, made: *mut *mut c_void) -> i32 {
    unsafe {
        let next = next_layer((*info).next, LOADER_INSTANCE_CREATE_INFO);
        OF_INSTANCE.store(next.of_instance as *mut c_void, SeqCst);
        let create: Create = transmute((next.of_instance)(null_mut(), c"vkCreateInstance".as_ptr()));
        let result = create(info, memory, made);
        INSTANCE.store(*made, SeqCst);
        result
    }
}

unsafe extern "system" fn create_device(
    adapter: *mut c_void,
    info: *const CreateInfo,
    memory: Function,
    made: *mut *mut c_void,
) -> i32 {
    unsafe {
        let next = next_layer((*info).next, LOADER_DEVICE_CREATE_INFO);
        OF_DEVICE.store(next.of_device as *mut c_void, SeqCst);
        let create: CreateDevice = transmute((next.of_instance)(INSTANCE.load(SeqCst), c"vkCreateDevice".as_ptr()));
        create(adapter, info, memory, made)
    }
}

unsafe extern "system" fn wait_semaphores(device: *mut c_void, what: Function, timeout: u64) -> i32 {
    let lose_at = std::env::var("LOSE_AT").map_or(0, |text| text.parse().expect("LOSE_AT is a number"));
    if WAITS.fetch_add(1, SeqCst) + 1 == lose_at {
        return ERROR_DEVICE_LOST;
    }
    unsafe {
        let of_device: Lookup = transmute(OF_DEVICE.load(SeqCst));
        let wait: Wait = transmute(of_device(device, c"vkWaitSemaphores".as_ptr()));
        wait(device, what, timeout)
    }
}

/// What this layer has instead of the next one's.
unsafe fn own(name: *const c_char) -> Option<Function> {
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"vkGetInstanceProcAddr" => Some(vkGetInstanceProcAddr as Function),
        b"vkGetDeviceProcAddr" => Some(vkGetDeviceProcAddr as Function),
        b"vkCreateInstance" => Some(create_instance as Function),
        b"vkCreateDevice" => Some(create_device as Function),
        b"vkWaitSemaphores" | b"vkWaitSemaphoresKHR" => Some(wait_semaphores as Function),
        _ => None,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkGetInstanceProcAddr(instance: *mut c_void, name: *const c_char) -> Function {
    unsafe {
        let next = || transmute::<_, Lookup>(OF_INSTANCE.load(SeqCst))(instance, name);
        own(name).unwrap_or_else(next)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkGetDeviceProcAddr(device: *mut c_void, name: *const c_char) -> Function {
    unsafe {
        let next = || transmute::<_, Lookup>(OF_DEVICE.load(SeqCst))(device, name);
        own(name).unwrap_or_else(next)
    }
}
