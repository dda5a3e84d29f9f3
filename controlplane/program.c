/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/program.h"

#include <errno.h>
#include <gelf.h>
#include <pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef EM_BPF
#define EM_BPF 247
#endif

enum { SNAPLEN = 65535 };

static int refuse(char fault[static PROGRAM_FAULT_MAX], int err, const char *text, ...) PRINTF_LIKE(3, 4);

static int
refuse(char fault[static PROGRAM_FAULT_MAX], int err, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	vsnprintf(fault, PROGRAM_FAULT_MAX, text, args);
	va_end(args);
	return err;
}

static int
take(struct program *program, uint8_t kind, const void *insns, size_t n, char fault[static PROGRAM_FAULT_MAX])
{
	if (n > ABI_FILTER_INSNS_MAX)
		return refuse(fault, -E2BIG, "%zu instructions, above %d", n, ABI_FILTER_INSNS_MAX);
	program->kind = kind;
	program->n = (uint16_t)n;
	memset(program->insns, 0, sizeof(program->insns));
	memcpy(program->insns, insns, n * sizeof(*program->insns));
	return 0;
}

int
program_compile(const char *expression, struct program *program, char fault[static PROGRAM_FAULT_MAX])
{
	struct bpf_program compiled;
	pcap_t *pcap;
	int err;

	if (strlen(expression) > PROGRAM_EXPRESSION_MAX)
		return refuse(fault, -E2BIG, "expression of more than %d octets", PROGRAM_EXPRESSION_MAX);
	if (expression[strspn(expression, " \t")] == '\0')
		return refuse(fault, -EINVAL, "an empty expression would match everything: say what it is for");
	pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	if (!pcap)
		return refuse(fault, -ENOMEM, "out of memory");
	if (pcap_compile(pcap, &compiled, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		err = refuse(fault, -EINVAL, "%s", pcap_geterr(pcap));
	} else {
		err = take(program, ABI_FILTER_CLASSIC, compiled.bf_insns, compiled.bf_len, fault);
		pcap_freecode(&compiled);
	}
	pcap_close(pcap);
	return err;
}

/* A relocation in a section that belongs to the program's: a map, or a call. */
static bool
is_relocated(Elf *elf, size_t index)
{
	for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn; scn = elf_nextscn(elf, scn)) {
		GElf_Shdr header;

		if (gelf_getshdr(scn, &header) && (header.sh_type == SHT_REL || header.sh_type == SHT_RELA) &&
		    header.sh_info == index && header.sh_size > 0)
			return true;
	}
	return false;
}

static int
section_take(Elf *elf, Elf_Scn *scn, const char *name, struct program *program, char fault[static PROGRAM_FAULT_MAX])
{
	const Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Shdr header;

	if (!gelf_getshdr(scn, &header) || header.sh_type != SHT_PROGBITS || !(header.sh_flags & SHF_EXECINSTR))
		return refuse(fault, -EINVAL, "section %s holds no program", name);
	if (is_relocated(elf, elf_ndxscn(scn)))
		return refuse(fault, -EINVAL, "section %s has relocations: a filter can use no map and call nothing", name);
	if (!data || !data->d_buf || data->d_size == 0 || data->d_size % sizeof(uint64_t) != 0)
		return refuse(fault, -EINVAL, "section %s is no row of whole instructions", name);
	return take(program, ABI_FILTER_EBPF, data->d_buf, data->d_size / sizeof(uint64_t), fault);
}

static int
elf_take(Elf *elf, const char *name, struct program *program, char fault[static PROGRAM_FAULT_MAX])
{
	GElf_Ehdr header;
	size_t names;

	if (elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64 || !gelf_getehdr(elf, &header) ||
	    elf_getshdrstrndx(elf, &names) != 0)
		return refuse(fault, -EINVAL, "not an ELF file of 64 bits");
	if (header.e_machine != EM_BPF || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(fault, -EINVAL, "not for little-endian eBPF: compile with clang -target bpfel");
	for (Elf_Scn *scn = elf_nextscn(elf, NULL); scn; scn = elf_nextscn(elf, scn)) {
		GElf_Shdr section;
		const char *found = gelf_getshdr(scn, &section) ? elf_strptr(elf, names, section.sh_name) : NULL;

		if (found && strcmp(found, name) == 0)
			return section_take(elf, scn, name, program, fault);
	}
	return refuse(fault, -EINVAL, "there is no section %s in it", name);
}

int
program_read(const uint8_t *octets, size_t len, const char *section, struct program *program,
	     char fault[static PROGRAM_FAULT_MAX])
{
	char *copy = malloc(len ? len : 1); /* libelf may write to it */
	Elf *elf;
	int err;

	elf_version(EV_CURRENT);
	if (!copy)
		return refuse(fault, -ENOMEM, "out of memory");
	memcpy(copy, octets, len);
	elf = elf_memory(copy, len);
	err = elf ? elf_take(elf, section, program, fault) : refuse(fault, -EINVAL, "not an ELF file: %s", elf_errmsg(-1));
	if (elf)
		elf_end(elf);
	free(copy);
	return err;
}

int
program_load(const char *path, const char *section, struct program *program, char fault[static PROGRAM_FAULT_MAX])
{
	uint8_t *octets = malloc(PROGRAM_OBJECT_MAX + 1);
	FILE *file = octets ? fopen(path, "re") : NULL;
	size_t len = 0;
	int err;

	if (!octets)
		return refuse(fault, -ENOMEM, "out of memory");
	if (file) {
		len = fread(octets, 1, PROGRAM_OBJECT_MAX + 1, file);
		fclose(file);
	}
	if (!file)
		err = refuse(fault, -EINVAL, "%s", strerror(errno));
	else if (len > PROGRAM_OBJECT_MAX)
		err = refuse(fault, -E2BIG, "larger than %d octets", PROGRAM_OBJECT_MAX);
	else
		err = program_read(octets, len, section, program, fault);
	free(octets);
	return err;
}
