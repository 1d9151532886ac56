/* SPDX-License-Identifier: MIT */
/*
 * What dynamic.c opens.
 */
int number = 42;

int answer(void);

int answer(void)
{
	return number;
}
