// SPDX-License-Identifier: MIT
// What C++ programs use of their library; every line that is printed is the same on Linux.
#include <algorithm>
#include <any>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <dlfcn.h>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <locale>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <random>
#include <regex>
#include <shared_mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <typeinfo>
#include <variant>
#include <vector>

namespace fs = std::filesystem;

namespace {

struct Noisy {
	const char *name;
	explicit Noisy(const char *n) : name(n) {}
	~Noisy() { std::cout << "~" << name << '\n'; }
};

thread_local Noisy own("thread_local");
Noisy global("global");

int depth(int n)
{
	Noisy here("frame");
	if (n == 0)
		throw std::runtime_error("from below");
	return depth(n - 1) + 1;
}

void exceptions()
{
	try {
		depth(2);
	} catch (const std::exception &e) {
		std::cout << "caught " << e.what() << ' ' << typeid(e).name() << '\n';
	}
	try {
		try {
			std::vector<int>(3).at(7);
		} catch (...) {
			std::throw_with_nested(std::logic_error("outer"));
		}
	} catch (const std::logic_error &e) {
		try {
			std::rethrow_if_nested(e);
		} catch (const std::out_of_range &) {
			std::cout << "nested " << e.what() << '\n';
		}
	}
	try {
		(void)std::any_cast<int>(std::any(std::string("text")));
	} catch (const std::bad_any_cast &) {
		std::cout << "bad_any_cast\n";
	}
	try {
		volatile size_t huge = SIZE_MAX / 2 - 1;
		::operator delete(::operator new(huge)); // a new expression may be optimised away
	} catch (const std::bad_alloc &) {
		std::cout << "bad_alloc\n";
	}
	try {
		throw std::system_error(ENOENT, std::generic_category(), "opening");
	} catch (const std::system_error &e) {
		std::cout << e.code().value() << ' ' << e.what() << '\n';
	}
}

void threads()
{
	std::mutex lock;
	std::condition_variable ready;
	std::atomic<int> sum{0};
	std::vector<std::thread> all;
	int turn = 0;

	for (int i = 0; i < 8; i++)
		all.emplace_back([&, i] {
			std::unique_lock<std::mutex> l(lock);
			ready.wait(l, [&] { return turn == i; });
			std::cout << "thread " << i << '\n';
			turn++;
			ready.notify_all();
			sum += i;
		});
	for (auto &t : all)
		t.join();
	std::cout << "sum " << sum << '\n';
	std::thread([] { own.name = "thread_local of a thread"; }).join();
	auto failed = std::async(std::launch::async, []() -> int { throw std::domain_error("far"); });
	try {
		failed.get();
	} catch (const std::domain_error &e) {
		std::cout << "across threads: " << e.what() << '\n';
	}
	std::shared_mutex shared;
	std::shared_lock<std::shared_mutex> one(shared), two(shared);
	std::cout << "try_lock " << shared.try_lock() << '\n';
	std::once_flag once;
	for (int i = 0; i < 3; i++)
		std::call_once(once, [] { std::cout << "once\n"; });
	std::timed_mutex timed;
	timed.lock();
	std::thread([&] { std::cout << "timed " << timed.try_lock_for(std::chrono::milliseconds(20)) << '\n'; }).join();
	timed.unlock();
}

void streams()
{
	std::ostringstream out;

	out << std::hex << std::showbase << 255 << ' ' << std::fixed << std::setprecision(3) << 2.0 / 3 << ' '
	    << std::boolalpha << true << ' ' << std::setw(8) << std::setfill('*') << std::left << "left";
	std::cout << out.str() << '\n';
	std::istringstream in("12 0x1f word 3.25e2");
	int a = 0;
	std::string b, c;
	double d = 0;
	in >> a >> b >> c >> d;
	std::cout << a << b << c << d << ' ' << in.eof() << '\n';
	std::cout << std::put_time(std::gmtime(std::make_unique<time_t>(86400 * 365).get()), "%Y-%m-%d %H:%M") << '\n';
	std::wstringstream wide;
	wide << L"wide " << 42;
	std::cout << wide.str().size() << '\n';
	std::cout << std::use_facet<std::numpunct<char>>(std::locale::classic()).decimal_point() << '\n';
	try {
		std::locale("no_SUCH");
		std::cout << "a locale\n";
	} catch (const std::runtime_error &) {
		std::cout << "no such locale\n";
	}
}

void files()
{
	const fs::path top = fs::temp_directory_path() / "cxx-program";

	fs::remove_all(top);
	fs::create_directories(top / "a" / "b");
	for (const char *name : {"one", "two", "three"})
		std::ofstream(top / "a" / name) << std::string(1000, *name);
	fs::create_symlink("one", top / "a" / "link");
	fs::rename(top / "a" / "two", top / "a" / "b" / "moved");
	fs::copy_file(top / "a" / "three", top / "a" / "b" / "copy");
	std::vector<std::string> names;
	for (const auto &entry : fs::recursive_directory_iterator(top))
		names.push_back(fs::relative(entry.path(), top).string() + (entry.is_symlink() ? "@" : "") +
		                (entry.is_regular_file() && !entry.is_symlink() ? std::to_string(entry.file_size()) : ""));
	std::sort(names.begin(), names.end());
	for (const auto &name : names)
		std::cout << name << '\n';
	std::string text;
	std::getline(std::ifstream(top / "a" / "link"), text);
	std::cout << text.size() << text[0] << ' ' << fs::canonical(top / "a" / "link").filename() << '\n';
	std::error_code error;
	fs::create_directory(top / "none" / "below", error);
	std::cout << error.message() << '\n';
	std::fstream both(top / "a" / "one", std::ios::in | std::ios::out);
	both.seekp(10) << "written";
	both.seekg(8);
	both >> std::setw(12) >> text;
	std::cout << text << '\n';
	std::cout << fs::remove_all(top) << ' ' << fs::exists(top) << '\n';
}

void others()
{
	const std::string text = "one=1, two=22, three=333";
	const std::regex pair(R"((\w+)=(\d+))");

	for (std::sregex_iterator i(text.begin(), text.end(), pair), end; i != end; ++i)
		std::cout << (*i)[1] << "->" << (*i)[2] << ' ';
	std::cout << std::regex_replace(text, std::regex("[aeiou]"), "_") << '\n';
	std::mt19937_64 engine(42);
	std::cout << std::uniform_int_distribution<int>(1, 1000000)(engine) << '\n';
	std::random_device device;
	std::cout << (device() != device() || device() != device()) << '\n';
	std::variant<int, std::string> v = "held";
	std::cout << std::get<std::string>(v) << v.index() << '\n';
	const auto begin = std::chrono::steady_clock::now();
	std::this_thread::sleep_for(std::chrono::milliseconds(30));
	std::cout << (std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(30)) << '\n';
	std::map<std::string, std::unique_ptr<int>> map;
	for (int i = 0; i < 1000; i++)
		map[std::to_string(i)] = std::make_unique<int>(i);
	std::cout << map.size() << ' ' << map.rbegin()->first << '\n';
}

void library(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);

	if (!handle) {
		std::cout << "dlopen: " << dlerror() << '\n';
		return;
	}
	const auto thrower = reinterpret_cast<void (*)(const char *)>(dlsym(handle, "throw_it"));
	try {
		thrower("out of a library");
	} catch (const std::invalid_argument &e) {
		std::cout << "caught " << e.what() << '\n';
	}
	dlclose(handle);
}

} // namespace

int main(int argc, char **argv)
{
	std::ios::sync_with_stdio(argc < 3);
	std::cout << own.name << '\n';
	exceptions();
	threads();
	streams();
	files();
	others();
	if (argc > 1)
		library(argv[1]);
	std::cerr << "done\n";
	return 0;
}
