# SPDX-License-Identifier: MIT
# The systems that boot, and the base image: image/kernel and image/base, to which `capos run` adds what one
# run needs.  IMAGE_SBIN: programs of the base system, put into sbin/.  IMAGE_ENTRIES, IMAGE_DEPENDS: more
# entries for mkarchive, and the files they are made from.

MANIFEST = manifests/default.txt
# What programs look up in /etc, besides what init writes there: names, addresses and servers.
IMAGE_ETC = manifests/etc/group manifests/etc/os-release manifests/etc/passwd manifests/etc/protocols \
	manifests/etc/services manifests/etc/shells
EXTRA_DIST += $(MANIFEST) $(IMAGE_ETC)
pkgdata_DATA += image/base image/kernel image/libc.so image/virtio-9p

say_image = $(say_image_@AM_V@)
say_image_ = $(say_image_@AM_DEFAULT_V@)
say_image_0 = @echo "  IMAGE   " $@;

ENCODE_MANIFEST = $(CAPNP) encode --no-standard-import --flat $(srcdir)/schema/manifest.capnp Manifest
image/manifest: $(srcdir)/$(MANIFEST) $(SCHEMAS)
	$(say_gen)$(MKDIR_P) image
	$(AM_V_at)$(ENCODE_MANIFEST) <$(srcdir)/$(MANIFEST) >$@.new && mv -f $@.new $@

# Debug information stays in the build directory: the machine's memory is for what runs.
image/kernel: kernel/capos.elf
	$(say_image)$(MKDIR_P) image && $(STRIP) -o $@ kernel/capos.elf
# The dynamic linker and libc, which an image gets with a program that needs them.
image/virtio-9p: drivers/virtio-9p/virtio-9p
	$(say_image)$(MKDIR_P) image && $(STRIP) -o $@ drivers/virtio-9p/virtio-9p
image/libc.so: $(SYSROOT)/.stamp
	$(say_image)$(MKDIR_P) image && $(STRIP) -o $@ $(SYSROOT)/lib/libc.so
image/sbin/.stamp: $(IMAGE_SBIN)
	$(say_image)$(MKDIR_P) image/sbin
	$(AM_V_at)for program in $(IMAGE_SBIN); do \
		$(STRIP) -o image/sbin/$${program##*/} $$program || exit 1; \
	done
	$(AM_V_at)touch $@

image/base: tools/mkarchive/mkarchive image/manifest image/sbin/.stamp $(srcdir)/manifests/local.mk \
		$(IMAGE_ETC) $(IMAGE_DEPENDS)
	$(say_image)tools/mkarchive/mkarchive $@.new \
		dir:tmp:1777 dir:root:0700 dir:dev:0755 dir:home:0755 dir:run:0755 dir:var/log:0755 \
		dir:var/run:0755 dir:var/tmp:1777 \
		file:etc/manifest:0644:image/manifest \
		link:etc/mtab:/proc/self/mounts \
		link:etc/ssl/cert.pem:/etc/ssl/certs/ca-certificates.crt \
		`for name in $(IMAGE_ETC); do \
			echo file:etc/$${name##*/}:0644:$(srcdir)/$$name; \
		done` \
		`for program in $(IMAGE_SBIN); do \
			echo file:sbin/$${program##*/}:0755:image/sbin/$${program##*/}; \
		done` \
		$(IMAGE_ENTRIES) && mv -f $@.new $@
