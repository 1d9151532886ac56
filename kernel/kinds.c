/* SPDX-License-Identifier: MIT */
/*
 * The table of kinds: how each is counted and called, and for each method the rights that it takes
 * and the room that its reply needs.  A method that is not listed needs no right but CALL.
 */
#include "device/device.h"
#include "object/kcall.h"
#include "object/endpoint.h"
#include "object/event.h"
#include "object/timer.h"
#include "process/process.h"

#define MANAGE CAP_RIGHT_MANAGE
#define WATCH  CAP_RIGHT_WATCH
#define READ   CAP_RIGHT_READ

static const struct method process_methods[] = {
        [PROCESS_CREATE_MEMORY] = {.rights = MANAGE, .words = 1, .caps = 1},
        [PROCESS_MAP] = {.rights = MANAGE, .words = 1},
        [PROCESS_UNMAP] = {.rights = MANAGE},
        [PROCESS_PROTECT] = {.rights = MANAGE},
        [PROCESS_CREATE_EVENT] = {.rights = MANAGE, .words = 1, .caps = 1},
        [PROCESS_CREATE_ENDPOINT] = {.rights = MANAGE, .words = 1, .caps = 1},
        [PROCESS_CREATE_THREAD] = {.rights = MANAGE, .words = 2},
        [PROCESS_EXIT_THREAD] = {.rights = MANAGE, .no_reply = true},
        [PROCESS_END_THREADS] = {.rights = MANAGE},
        [PROCESS_WAIT] = {.rights = WATCH, .more = true},
        [PROCESS_STATUS] = {.rights = WATCH, .more = true},
        [PROCESS_KILL] = {.rights = CAP_RIGHT_KILL},
        [PROCESS_SET_NAME] = {.rights = MANAGE},
        [PROCESS_SLEEP_FOREVER] = {.no_reply = true},
        [PROCESS_FORK] = {.rights = MANAGE, .words = 1, .caps = 1},
        [PROCESS_EXEC] = {.rights = MANAGE, .no_reply = true},
        [PROCESS_ACCOUNT] = {.rights = MANAGE, .words = 1, .caps = 1},
        [PROCESS_DISCARD] = {.rights = MANAGE},
        [PROCESS_REMAP] = {.rights = MANAGE, .words = 1},
        [PROCESS_MAP_ZEROES] = {.rights = MANAGE, .words = 1},
        [PROCESS_MAPPINGS] = {.rights = MANAGE, .words = 1, .more = true},
        [PROCESS_RESIDENT] = {.rights = WATCH, .words = 1},
        [PROCESS_CALLER_LABEL] = {.rights = MANAGE, .more = true},
        [PROCESS_SET_POLICY] = {.rights = CAP_RIGHT_KILL},
        [PROCESS_SET_NICE] = {.rights = CAP_RIGHT_KILL},
        [PROCESS_SCHEDULING] = {.rights = WATCH, .words = 2},
};

static const struct method spawner_methods[] = {
        [PROCESS_SPAWNER_SPAWN] = {.words = 1, .caps = 1},
        [PROCESS_SPAWNER_CREATE_ACCOUNT] = {.words = 1, .caps = 1},
};

static const struct method memory_methods[] = {
        [MEMORY_OBJECT_SIZE] = {.words = 1},
        [MEMORY_OBJECT_SLICE] = {.rights = READ, .words = 1, .caps = 1},
        [MEMORY_OBJECT_RESIZE] = {.rights = CAP_RIGHT_WRITE | MANAGE},
        [MEMORY_OBJECT_SET_LIMIT] = {.rights = CAP_RIGHT_WRITE | MANAGE},
        [MEMORY_OBJECT_STATUS] = {.rights = READ, .words = 5},
        [MEMORY_OBJECT_PREPARE] = {.rights = CAP_RIGHT_WRITE},
        [MEMORY_OBJECT_DISCARD] = {.rights = CAP_RIGHT_WRITE | MANAGE},
        [MEMORY_OBJECT_SHOW_SIZE] = {.rights = READ, .words = 1, .caps = 1},
        [MEMORY_OBJECT_MARK] = {.rights = CAP_RIGHT_WRITE | MANAGE},
};

static const struct method event_methods[] = {
        [EVENT_BIND_UPCALL] = {.rights = CAP_RIGHT_WAIT},
};

static const struct method timer_methods[] = {
        [TIMER_ARM] = {.rights = 0},
        [TIMER_DISARM] = {.words = 2},
        [TIMER_CREATE] = {.words = 1, .caps = 1},
        [TIMER_REMAINING] = {.words = 2},
};

static const struct method account_methods[] = {
        [ACCOUNT_CREATE_MEMORY] = {.words = 1, .caps = 1},
        [ACCOUNT_SLICE] = {.words = 1, .caps = 1},
        [ACCOUNT_STATUS] = {.rights = WATCH},
        [ACCOUNT_CREATE_SPARSE] = {.words = 1, .caps = 1},
};

static const struct method code_maker_methods[] = {
        [CODE_MAKER_MAKE] = {.words = 1, .caps = 1},
        [CODE_MAKER_GRANT] = {.words = 1, .caps = 1},
};

static const struct method labeller_methods[] = {
        [LABELLER_SET] = {.rights = 0},
        [LABELLER_GET] = {.more = true},
        [LABELLER_BOUND] = {.rights = 0},
};

static const struct method entropy_methods[] = {[ENTROPY_SOURCE_READ] = {.more = true}};
static const struct method log_methods[] = {[LOG_WRITE] = {.rights = 0}};
static const struct method power_methods[] = {
        [POWER_CONTROL_SHUTDOWN] = {.rights = 0}, [POWER_CONTROL_FLUSH_LOG] = {.rights = 0}};

static const struct method status_methods[] = {
        [SYSTEM_STATUS_PROCESSES] = {.more = true},   [SYSTEM_STATUS_CAPABILITIES] = {.more = true},
        [SYSTEM_STATUS_MEMORY] = {.rights = 0},       [SYSTEM_STATUS_LATENCY] = {.words = 3},
        [SYSTEM_STATUS_PROTECTIONS] = {.more = true},
};

static const struct method device_manager_methods[] = {
        [DEVICE_MANAGER_LIST] = {.more = true},
        [DEVICE_MANAGER_OPEN] = {.words = 1, .caps = 3},
};

static const struct method mmio_methods[] = {
        [DEVICE_MMIO_INFO] = {.more = true},
        [DEVICE_MMIO_MAP] = {.words = 2},
        [DEVICE_MMIO_READ_CONFIG] = {.words = 1},
};

static const struct method interrupt_methods[] = {
        [INTERRUPT_BIND] = {.rights = 0},
        [INTERRUPT_UNBIND] = {.rights = 0},
        [INTERRUPT_COUNT] = {.words = 1},
};

static const struct method dma_methods[] = {
        [DMA_POOL_ALLOCATE] = {.words = 2, .more = true, .caps = 1},
};

#define METHODS(table) .methods = (table), .nmethods = sizeof(table) / sizeof((table)[0])

static void signal(struct object_header *object, uint64_t bits)
{
	event_signal(event_of(object), bits);
}

const struct kind kinds[KIND_COUNT] = {
        [KIND_PROCESS] = {.interface = PROCESS_INTERFACE,
                          .last = process_last,
                          .call = process_call,
                          METHODS(process_methods)},
        [KIND_SPAWNER] = {.interface = PROCESS_SPAWNER_INTERFACE,
                          .call = spawner_call,
                          METHODS(spawner_methods)},
        [KIND_MEMORY] = {.interface = MEMORY_OBJECT_INTERFACE,
                         .last = memobj_last,
                         .call = memory_call,
                         METHODS(memory_methods)},
        [KIND_EVENT] = {.interface = EVENT_INTERFACE,
                        .last = event_last,
                        .signal = signal,
                        .call = event_call,
                        METHODS(event_methods)},
        [KIND_ENDPOINT] = {.last = endpoint_last},
        [KIND_OBJECT] = {.last = object_last},
        [KIND_TIMER] = {.interface = TIMER_INTERFACE,
                        .last = timer_last,
                        .call = timer_call,
                        METHODS(timer_methods)},
        [KIND_ENTROPY] = {.interface = ENTROPY_SOURCE_INTERFACE,
                          .call = entropy_call,
                          METHODS(entropy_methods)},
        [KIND_LOG] = {.interface = LOG_INTERFACE, .call = log_call, METHODS(log_methods)},
        [KIND_POWER] = {.interface = POWER_CONTROL_INTERFACE,
                        .call = power_call,
                        METHODS(power_methods)},
        [KIND_SYSTEM_STATUS] = {.interface = SYSTEM_STATUS_INTERFACE,
                                .call = status_call,
                                METHODS(status_methods)},
        [KIND_DEVICE_MANAGER] = {.interface = DEVICE_MANAGER_INTERFACE,
                                 .call = device_manager_call,
                                 METHODS(device_manager_methods)},
        [KIND_DEVICE_MMIO] = {.interface = DEVICE_MMIO_INTERFACE,
                              .last = device_last,
                              .number = device_number,
                              .call = device_mmio_call,
                              METHODS(mmio_methods)},
        [KIND_INTERRUPT] = {.interface = INTERRUPT_INTERFACE,
                            .last = device_last,
                            .number = device_number,
                            .call = interrupt_call,
                            METHODS(interrupt_methods)},
        [KIND_DMA_POOL] = {.interface = DMA_POOL_INTERFACE,
                           .last = device_last,
                           .number = device_number,
                           .call = dma_pool_call,
                           METHODS(dma_methods)},
        [KIND_CODE_MAKER] = {.interface = CODE_MAKER_INTERFACE,
                             .call = code_maker_call,
                             METHODS(code_maker_methods)},
        [KIND_LABELLER] = {.interface = LABELLER_INTERFACE,
                           .call = labeller_call,
                           METHODS(labeller_methods)},
        [KIND_ACCOUNT] = {.interface = ACCOUNT_INTERFACE,
                          .last = account_last,
                          .call = account_call,
                          METHODS(account_methods)},
};

void cap_get(struct cap cap)
{
	if (cap.object)
		header_get(cap.object);
}

void cap_put(struct cap cap)
{
	if (cap.object && header_put(cap.object))
		kinds[cap.object->kind].last(cap.object);
}

void cap_signal(struct cap event, uint64_t bits)
{
	kinds[event.kind].signal(event.object, bits);
}
